"""Where credentials come from."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.settings import ProviderSettings
from core.credentials.sources import FileSource, ProviderSource

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
    assert secrets(FileSource("glm-web", file)) == ["t1", "t2"]


def test_name_and_weight_are_kept(file: Path) -> None:
    file.write_text('[{"token": "t1", "name": "mine", "weight": 3, "note": "ignored"}]')
    (credential,) = FileSource("glm-web", file).poll() or ()
    assert (credential.provider, credential.name, credential.weight) == ("glm-web", "mine", 3)


def test_a_missing_file_holds_no_tokens_and_is_fine(file: Path) -> None:
    source = FileSource("glm-web", file)
    assert (secrets(source), secrets(source), source.problem) == ([], None, None)


def test_a_file_that_did_not_change_is_not_reported_again(file: Path) -> None:
    file.write_text('["t1"]')
    source = FileSource("glm-web", file)
    assert (secrets(source), secrets(source)) == (["t1"], None)


def test_a_replaced_file_is_seen_even_when_time_and_size_are_the_same(file: Path) -> None:
    file.write_text('["t1"]')
    source = FileSource("glm-web", file)
    source.poll()
    other = file.with_name("other")
    other.write_text('["t2"]')
    stat = file.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)
    assert secrets(source) == ["t2"]


def test_a_file_that_goes_away_takes_its_tokens_along(file: Path) -> None:
    file.write_text('["t1"]')
    source = FileSource("glm-web", file)
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
    ],
)
def test_a_broken_file_keeps_the_old_list_with_one_warning_that_shows_nothing(file: Path, text: str, told: str) -> None:
    file.write_text('["old one"]'.replace(" ", "-"))
    source = FileSource("glm-web", file)
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
    source = FileSource("glm-web", file)
    assert source.poll() is None
    assert "not valid JSON" in str(source.problem)


def test_a_file_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    source = FileSource("glm-web", tmp_path)
    with capture_logs() as logs:
        assert (source.poll(), source.poll()) == (None, None)
    assert len(logs) == 1
    assert "directory" in str(source.problem)


def test_a_repaired_file_is_used_and_the_problem_forgotten(file: Path) -> None:
    file.write_text("oops")
    source = FileSource("glm-web", file)
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
