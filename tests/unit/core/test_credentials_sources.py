"""Where credentials come from."""

import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.settings import ProviderSettings
from core.credentials.sources import Common, FileSource, ProviderSource
from schemas.limit import KeyLimits

URL = "https://example.test"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token.json"


def secrets(source: FileSource | ProviderSource) -> list[str] | None:
    found = source.poll()
    return None if found is None else [credential.secret for credential in found]


@pytest.mark.parametrize(
    "text",
    [
        '["t1", "t2"]',
        '{"tokens": ["t1", "t2"]}',
        '[{"token": "t1"}, "t2"]',
        '{"tokens": [" t1\\n", "", {"token": " "}, "t2", "t1", {"token": "t2"}]}',
        '\ufeff["t1", "t2"]',
    ],
)
def test_every_form_of_the_file_is_read(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    assert secrets(FileSource(Common("glm-web"), file)) == ["t1", "t2"]


def test_name_and_weight_are_kept(file: Path) -> None:
    file.write_text('[{"token": "t1", "name": "mine", "weight": 3, "note": "ignored"}]')
    (credential,) = FileSource(Common("glm-web"), file).poll() or ()
    assert (credential.provider, credential.name, credential.weight) == ("glm-web", "mine", 3)


def test_a_missing_file_holds_no_tokens_and_is_fine(file: Path) -> None:
    source = FileSource(Common("glm-web"), file)
    assert (secrets(source), secrets(source), source.problem) == ([], None, None)


def test_a_file_that_did_not_change_is_not_reported_again(file: Path) -> None:
    file.write_text('["t1"]')
    source = FileSource(Common("glm-web"), file)
    assert (secrets(source), secrets(source)) == (["t1"], None)


def test_a_replaced_file_is_seen_even_when_time_and_size_are_the_same(file: Path) -> None:
    file.write_text('["t1"]')
    source = FileSource(Common("glm-web"), file)
    source.poll()
    other = file.with_name("other")
    other.write_text('["t2"]')
    stat = file.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)
    assert secrets(source) == ["t2"]


def test_a_file_that_goes_away_takes_its_tokens_along(file: Path) -> None:
    file.write_text('["t1"]')
    source = FileSource(Common("glm-web"), file)
    source.poll()
    file.unlink()
    assert secrets(source) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('["hush-hush"', "not valid JSON"),
        ("hush-hush", "not valid JSON"),
        ("", "is empty"),
        ('"hush-hush"', "neither a list"),
        ('{"token": "hush-hush"}', "neither a list"),
        ('["fine", 5]', "entry 1"),
        ('[{"name": "hush-hush"}]', "entry 0"),
        ('["hush-hush \\u00e9"]', "entry 0"),
        ('["hush-hush\\r\\nX-Evil: 1"]', "entry 0"),
        ('[{"token": "hush-hush", "weight": 0}]', '"weight"'),
        ('[{"token": "hush-hush", "weight": true}]', '"weight"'),
        ('[{"token": "hush-hush", "name": ["hush-hush"]}]', '"name"'),
        ('[{"token": "hush-hush", "account": 7}]', '"account"'),
        ('[{"token": "hush-hush", "priority": 3}]', '"priority" is not a whole number from 0 to 2'),
        ('[{"token": "hush-hush", "slots": 0}]', '"slots" is not a whole number from 1'),
        ('[{"token": "hush-hush", "requests_per_minute": "9"}]', '"requests_per_minute"'),
    ],
)
def test_a_broken_file_keeps_the_old_list_with_one_warning_that_shows_nothing(file: Path, text: str, told: str) -> None:
    file.write_text('["old one"]'.replace(" ", "-"))
    source = FileSource(Common("glm-web"), file)
    source.poll()
    file.write_text(text, encoding="utf-8")
    with capture_logs() as logs:
        assert (source.poll(), source.poll()) == (None, None)
    assert [one.secret for one in source.credentials] == ["old-one"]
    assert [log["event"] for log in logs] == ["token_file_broken"]
    assert told in str(source.problem)
    assert "hush" not in f"{source.problem} {logs}"


def test_bytes_that_are_no_text_are_refused_like_any_broken_file(file: Path) -> None:
    file.write_bytes(b'["\xff\xfe"]')
    source = FileSource(Common("glm-web"), file)
    assert source.poll() is None
    assert "not valid JSON" in str(source.problem)


def test_a_file_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    source = FileSource(Common("glm-web"), tmp_path)
    with capture_logs() as logs:
        assert (source.poll(), source.poll()) == (None, None)
    assert len(logs) == 1
    assert "directory" in str(source.problem)


def test_a_repaired_file_is_used_and_the_problem_forgotten(file: Path) -> None:
    file.write_text("oops")
    source = FileSource(Common("glm-web"), file)
    source.poll()
    file.write_text('["t1"]')
    assert secrets(source) == ["t1"]
    assert source.problem is None


def test_a_provider_has_the_keys_of_its_settings_and_the_tokens_of_its_file(file: Path) -> None:
    file.write_text('["t1", "k1"]')
    settings = ProviderSettings(kind="glm", base_url=URL, api_keys=(" k1 ", "k2", "", "k1"), token_file=file)
    source = ProviderSource("glm", settings)
    assert (secrets(source), secrets(source)) == (["k1", "k2", "t1"], None)


def test_keys_are_given_even_when_the_file_is_broken(file: Path) -> None:
    file.write_text("oops")
    source = ProviderSource("glm", ProviderSettings(kind="glm", base_url=URL, api_keys=("k1",), token_file=file))
    assert secrets(source) == ["k1"]
    assert source.problem is not None


def test_a_token_says_the_same_of_itself_as_a_configured_key(file: Path) -> None:
    facts = {
        "name": "n",
        "account": "x",
        "weight": 3,
        "priority": 2,
        "slots": 1,
        "requests_per_minute": 10,
        "input_tokens_per_minute": 20,
        "output_tokens_per_minute": 30,
    }
    file.write_text(json.dumps([{"token": "k", **facts, "note": "ignored"}]))
    by_file = FileSource(Common("glm", vendor="zhipu"), file).poll()
    settings = ProviderSettings(kind="glm", base_url=URL, keys=({"key": " k ", **facts},))
    (credential,) = ProviderSource("glm", settings).poll() or ()
    assert by_file == (credential,)
    assert (credential.secret, credential.name, credential.account) == ("k", "n", "x")
    assert (credential.weight, credential.priority, credential.slots) == (3, 2, 1)
    assert credential.limits == KeyLimits(10, 20, 30)


def test_what_a_key_does_not_say_its_instance_says_for_it(file: Path) -> None:
    file.write_text('["t", {"token": "u", "slots": 5}]')
    settings = ProviderSettings(
        kind="glm",
        base_url=URL,
        keys=({"key": "k", "requests_per_minute": 9},),
        api_keys=("b",),
        token_file=file,
        key_limits={"requests_per_minute": 1, "slots": 2},
    )
    found = {one.secret: (one.limits.requests, one.slots) for one in ProviderSource("glm", settings).poll() or ()}
    assert found == {"k": (9, 2), "b": (1, 2), "t": (1, 2), "u": (1, 5)}


def test_a_key_that_stands_twice_is_what_is_known_of_it() -> None:
    settings = ProviderSettings(kind="glm", base_url=URL, keys=({"key": "k", "slots": 1},), api_keys=("k", "b"))
    assert [(one.secret, one.slots) for one in ProviderSource("glm", settings).poll() or ()] == [("k", 1), ("b", None)]
