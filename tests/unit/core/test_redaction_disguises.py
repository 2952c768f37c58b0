"""Secrets and personal data in other clothes: in addresses, headers, settings, numbers, and base64."""

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from core.redaction import Redactor

KEY = "sk-proj-abcdefgh12345678"
REDACTOR = Redactor(["hunter2-and-more"])
OPENSSL = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F\n\n"
    "MIIEhidden\n-----END RSA PRIVATE KEY-----"
)
PGP = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nlQOYhidden\n=ab\n-----END PGP PRIVATE KEY BLOCK-----"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://a.test/x?api_key=abcdef123456&page=2", "abcdef123456"),
        ("https://a.test/x?access_token=abcdef123456", "abcdef123456"),
        ("user: bob\npassword: correct-horse\nport: 1", "correct-horse"),
        ("Server=db;Password=correct-horse;Port=1", "correct-horse"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
        ("curl -H 'x-api-key: abcdefgh12345678' https://a.test", "abcdefgh12345678"),
        ("curl -u bob:correct-horse https://a.test", "correct-horse"),
        ("Cookie: session=abcdef0123456789; theme=dark\nAccept: */*", "abcdef0123456789"),
        ("Authorization: Token abcdef0123456789", "abcdef0123456789"),
        ("hf_abcdefghijklmnopqrstuv", "abcdefghijkl"),
        ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijkl"),
        ("pypi-AgEIcHlwaS5vcmcCJDUzZmQ", "AgEIcHlwaS5vcmcCJDU"),
        ("ghu_abcdefghijklmnopqrst", "abcdefghijkl"),
        ("https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXX", "XXXXXXXX"),
        (OPENSSL, "hidden"),
        (PGP, "hidden"),
        ("mail to ann%40example.com", "ann"),
        ("Ann.O'Neil@example.com", "Ann"),
    ],
)
def test_what_is_secret_by_its_name_or_shape_is_found_in_any_form(text: str, hidden: str) -> None:
    shown = REDACTOR.text(f"before\n{text}\nafter")
    assert hidden not in shown
    assert shown.startswith("before\n")
    assert shown.endswith("after")


@pytest.mark.parametrize(
    "text",
    [
        "https://a.test/x?page=2&key=value",
        "the password: no",
        "api_key=None",
        "a-----BEGIN CERTIFICATE-----MIIE",
        "/usr/share/perl5/Module/Metadata/Accessors.pm",
        "it's a 'quoted' word",
    ],
)
def test_what_says_nothing_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"password": 12345678}, {"password": "[secret]"}),
        ({"password": ["a1b2c3"]}, {"password": ["[secret]"]}),
        ({"card": 4111111111111111}, {"card": "[card]"}),
        ({"called": [13812345678, 99]}, {"called": ["[phone]", 99]}),
        ({"accessToken": "abc1"}, {"accessToken": "[secret]"}),
        ({"privateKey": "abc1", "secret_key": "x"}, {"privateKey": "[secret]", "secret_key": "[secret]"}),
        ({"refresh_token": "abc1", "GH_TOKEN": "qwertyuiop"}, {"refresh_token": "[secret]", "GH_TOKEN": "[secret]"}),
        ({"name": "Authorization", "value": "zzz"}, {"name": "Authorization", "value": "[secret]"}),
        ({"token": " the", "logprob": -0.1}, {"token": " the", "logprob": -0.1}),
        ({"max_tokens": 4096, "seed": 1234567, "on": True}, {"max_tokens": 4096, "seed": 1234567, "on": True}),
        ({"properties": {"password": {"type": "string"}}}, {"properties": {"password": {"type": "string"}}}),
    ],
)
def test_values_are_looked_at_whatever_their_type_and_name(value: Any, wanted: Any) -> None:
    assert REDACTOR.value(value) == wanted


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("said", [KEY, "id:hunter2-and-more", json.dumps({"to": "ann@example.com"}), "äöü " + KEY])
def test_base64_is_looked_through(encode: Any, said: str) -> None:
    run = encode(said.encode() * 3).decode().rstrip("=")
    assert REDACTOR.text(f"data:text/plain;base64,{run} after") == "data:text/plain;base64,[base64] after"
    plain = encode(b"nothing that anybody would mind").decode()
    picture = encode(bytes(range(128, 256)) + KEY.encode()).decode()
    assert REDACTOR.text(f"{plain} {picture}") == f"{plain} {picture}"


def test_base64_that_was_cut_in_two_is_looked_through_as_far_as_it_goes() -> None:
    run = b64encode((KEY + "ä" * 20_000).encode()).decode()
    assert run[:20] not in str(REDACTOR.shown({"file": run, "more": "x " * 9000}, 2000))
