"""What must not be written down is found, and what only looks like it is left."""

import json
import time

import gevent
import pytest

from core.redaction import Redactor

REDACTOR = Redactor(["hunter2-and-more", "short", "p(a)r[en]s+"])


class Others:
    """What else runs in the process: how often it had its turn."""

    def __init__(self) -> None:
        self.turns = 0
        self._greenlet = gevent.spawn(self._run)

    def __enter__(self) -> "Others":
        return self

    def __exit__(self, *_: object) -> None:
        self._greenlet.kill()

    def _run(self) -> None:
        while True:
            self.turns += 1
            gevent.sleep(0)


@pytest.mark.parametrize(
    ("value", "turns"),
    [
        (["ab"] * 90_000, 300),
        ([{f"k{number}": "v"} for number in range(10_000)], 70),
        ({"text": "some words " * 20_000}, 20),
    ],
    ids=["short", "keys", "long"],
)
def test_others_run_while_much_is_looked_through(value: object, turns: int) -> None:
    with Others() as others:
        assert REDACTOR.shown(value, 1_000_000) == value
    assert others.turns > turns


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-AAAA_bbbb-cccc",
        "gw-Zm9vYmFyYmF6cXV4",
        "xai-0123456789abcdef",
        "gsk_0123456789abcdef",
        "AIzaSyA-0123456789abcdefghijk",
        "0123456789abcdef0123456789abcdef.AbCdEfGh12345678",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl",
        "Bearer abcdefgh.ijkl-mnop",
        "Basic dXNlcjpwYXNzd29yZA==",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghij0123456789",
        "hunter2-and-more",
        "p(a)r[en]s+",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_taken_out_wherever_they_stand(secret: str) -> None:
    for text in (secret, f"before {secret} after", f'{{"key": "{secret}"}}'):
        assert secret not in REDACTOR.text(text)
        assert secret not in Redactor(["hunter2-and-more", "p(a)r[en]s+"], personal=False).text(text)
    around = REDACTOR.text(f"before {secret} after")
    assert around.startswith("before [")
    assert around.endswith("] after")


def test_a_password_in_an_address_is_taken_out_and_the_address_stays() -> None:
    assert REDACTOR.text("redis://user:hunter@db.example:6379/0") == "redis://[secret]@db.example:6379/0"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ann@example.com", "[email]"),
        ("Ann.B+tag@mail.example.co.uk!", "[email]!"),
        ("4111 1111 1111 1111", "[card]"),
        ("5500-0000-0000-0004,", "[card],"),
        ("4111\u00a01111\u202f1111\u20111111", "[card]"),
        ("４１１１１１１１１１１１１１１１", "[card]"),
        ("ann＠example．com", "[email]"),
        ("+33\u202f6\u202f12\u202f34\u202f56\u202f78", "[phone]"),
        ("378282246310005", "[card]"),
        ("DE89 3704 0044 0532 0130 00", "[iban]"),
        ("GB29NWBK60161331926819", "[iban]"),
        ("123-45-6789", "[national id]"),
        ("86095742719", "[national id]"),
        ("11010519491231002X", "[national id]"),
        ("AB 12 34 56 C", "[national id]"),
        ("12345678Z", "[national id]"),
        ("X1234567L", "[national id]"),
        ("2341 2341 2346", "[national id]"),
        ("192.168.0.17", "[ip]"),
        ("from 2001:db8::1.", "from [ip]."),
        ("::1", "[ip]"),
        ("+49 30 901820", "[phone]"),
        ("+1 (415) 555-2671", "[phone]"),
        ("call (415) 555-2671 now", "call [phone] now"),
        ("030/901820-12", "[phone]"),
        ("13812345678", "[phone]"),
        ("020 7946 0958", "[phone]"),
    ],
)
def test_personal_data_is_taken_out(text: str, wanted: str) -> None:
    assert REDACTOR.text(text) == wanted
    assert Redactor(personal=False).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "000-12-3456",
        "666-12-3456",
        "86095742718",
        "110105194912310021",
        "12345678A",
        "2341 2341 2345",
        "999.1.1.1",
        "version 1.2.3",
        "1.2.3.4.5",
        "12:30:45",
        "std::vector",
        "2026-11-26T09:14:24",
        "1795000000",
        "3.14159265358979",
        "a@b",
        "user @ example",
        "1,234,567.89",
        "def f(x): return x[1:2]",
        "claude-opus-4-5-20251101",
        "req_0123456789",
        "sk-short",
        "short",
        "the task-force-of-ten",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


def test_values_are_walked_through_with_their_keys() -> None:
    value = {
        "messages": [{"content": "I am ann@example.com", "n": 5, "ok": None}],
        "api_key": "anything at all",
        "ann@example.com": True,
        "prompt_tokens": "kept",
    }
    assert REDACTOR.value(value) == {
        "messages": [{"content": "I am [email]", "n": 5, "ok": None}],
        "api_key": "[secret]",
        "[email]": True,
        "prompt_tokens": "kept",
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r'"line\nsk-proj-abcdefgh12345678"', '"line\n[secret]"'),
        (r"tab\t203.0.113.9", "tab\t[ip]"),
        (r"\u000ask-proj-abcdefgh12345678", "\n[secret]"),
        (r"C:\new\table with nothing", r"C:\new\table with nothing"),
        ('{"password": "open sesame", "a": 1', '{"[secret]", "a": 1'),
        (r"{\"api_key\": \"open sesame\"", r"{\"[secret]\""),
        ("export DB_PASSWORD=hunter-two\nls", "export [secret]\nls"),
        ("the password is asked for: here", "the password is asked for: here"),
        ("TOKEN=", "TOKEN="),
    ],
)
def test_spelled_and_broken_json_is_looked_through(text: str, wanted: str) -> None:
    assert REDACTOR.text(text) == wanted


def test_json_in_a_text_is_walked_through() -> None:
    kept = '{ "path": "a" }'
    value = {"arguments": '{"password":"open sesame","list":[{"to":"ann@example.com"}]}', "kept": kept}
    assert REDACTOR.value(value) == {
        "arguments": '{"password":"[secret]","list":[{"to":"[email]"}]}',
        "kept": kept,
    }


def test_of_a_long_value_the_beginning_is_shown_and_the_rest_counted() -> None:
    value = {"a": "sk-proj-abcdefgh12345678\n" * 10, "b": ["x" * 50_000, {"c": "never shown"}]}
    shown = REDACTOR.shown(value, 1000)
    assert shown["beginning"].startswith('{"a":"[secret]\\n[secret]')
    assert 800 < len(shown["beginning"]) <= 1000
    assert shown["cut_off"] == len(json.dumps(value, separators=(",", ":"))) - 1000
    assert REDACTOR.shown(value, 100_000) == REDACTOR.value(value)


def test_numbers_are_shown_as_long_as_there_is_room_for_them() -> None:
    vector = {"input": list(range(9000)), "last": True}
    assert REDACTOR.shown(vector, 65_536) == vector
    shown = REDACTOR.shown(vector, 2000)
    assert shown["beginning"] == json.dumps(vector, separators=(",", ":"))[:2000]


@pytest.mark.parametrize("before", [0, 3, 1000, 4000, 8000])
def test_no_half_of_a_secret_is_shown_however_much_the_ones_ahead_of_it_shrink(before: int) -> None:
    key = f"-----BEGIN PRIVATE KEY-----{'A' * before}-----END PRIVATE KEY-----"
    value = {"ahead": key, "many": [f"{'sk-proj-' + 'k' * 200}" for _ in range(100)]}
    shown = REDACTOR.shown(value, 2000)
    assert "kk" not in str(shown)


def test_a_value_nested_deeper_than_anybody_writes_is_cut_off() -> None:
    value: object = "open sesame"
    for _ in range(150):
        value = [{"a": value}]
    for most in (10, 100_000):
        assert "sesame" not in str(REDACTOR.shown(value, most))


def test_patterns_of_ones_own_are_looked_for_too() -> None:
    assert Redactor(patterns={"ticket": r"\bT-\d+"}).text("see T-123") == "see [ticket]"
    for broken in ("(", "", "x*"):
        with pytest.raises(ValueError, match="mine"):
            Redactor(patterns={"mine": broken})


HOSTILE = ("1" * 300_000, "1 " * 150_000, "a." * 150_000, "a@" * 150_000, ":" * 300_000, "+1 2" * 75_000, "-" * 300_000)


NAMED = ("password" * 20_000, 'password="' * 20_000, "A" * 300_000, "A_TOKEN=" * 30_000, "\\n" * 100_000)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "eyJ" * 100_000, "sk-" * 100_000, "://a:" * 60_000, "DE12 AAAA " * 30_000, *NAMED]
)
def test_no_text_keeps_it_busy(text: str) -> None:
    began = time.process_time()
    REDACTOR.text(text[:65_536])
    short = time.process_time() - began
    began = time.process_time()
    REDACTOR.text(text[: 4 * 65_536])
    assert time.process_time() - began < 12 * short + 0.2, "four times the text takes about four times as long"


def test_a_known_secret_is_found_in_its_own_spelling() -> None:
    assert Redactor(["pass\u00a0＠word"]).text("it is pass\u00a0＠word!") == "it is [secret]!"


def test_what_hides_nothing_keeps_its_own_spelling() -> None:
    for text in ("10\u00a0000\u202fEuro, ４２", "Grüße 👋 ＠home"):
        assert REDACTOR.text(text) == text
