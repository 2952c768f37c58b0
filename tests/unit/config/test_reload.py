"""What is read again: when it is news, what of it counts, and what it is called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.loader import ConfigurationError
from config.reload import FIXED, UNGUARDED, ConfigurationFiles, settled
from config.settings import ServerSettings, Settings, StoreSettings

SECRET = "0123456789abcdef0123.AbCdEfGhIj"


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., ConfigurationFiles]:
    def made(
        problems: Callable[[Settings, Any], list[str]] = lambda settings, where: [], **environ: str
    ) -> ConfigurationFiles:
        return ConfigurationFiles(problems, tuple, environ, tmp_path)

    return made


def write(directory: Path, text: str, name: str = "gateway.yaml") -> None:
    """In one step, so that the inode is another one whatever the clock of the file system says."""
    (directory / "new").write_text(text)
    (directory / "new").replace(directory / name)


# When it is news


def looks(files: ConfigurationFiles, times: int = 3) -> list[bool]:
    return [files.news() is not None for _ in range(times)]


def test_what_was_read_is_no_news(files: Any, tmp_path: Path) -> None:
    write(tmp_path, "log_level: INFO")
    known = files()
    known.read()
    assert looks(known) == [False, False, False]


@pytest.mark.parametrize("name", ["gateway.yaml", ".env"])
def test_a_change_is_news_once_it_has_stood_for_two_looks(files: Any, tmp_path: Path, name: str) -> None:
    known = files()
    known.read()
    write(tmp_path, "LOG_LEVEL=ERROR" if name == ".env" else "log_level: ERROR", name)
    assert looks(known) == [False, True, True]
    assert known.read().settings.logging.level == "ERROR"
    assert looks(known) == [False, False, False]


def test_while_it_goes_on_changing_it_is_no_news(files: Any, tmp_path: Path) -> None:
    known = files()
    known.read()
    for number in range(4):
        write(tmp_path, f"server: {{max_body_bytes: {2000 + number}}}")
        assert known.news() is None
    assert known.news() is not None


def test_a_file_that_goes_away_is_news(files: Any, tmp_path: Path) -> None:
    write(tmp_path, "log_level: ERROR")
    known = files()
    assert known.read().settings.logging.level == "ERROR"
    (tmp_path / "gateway.yaml").unlink()
    assert looks(known, 2) == [False, True]
    assert known.read().settings.logging.level == "INFO"


def test_a_link_that_leads_elsewhere_is_news(files: Any, tmp_path: Path) -> None:
    for level in ("INFO", "ERROR"):
        (tmp_path / level).mkdir()
        (tmp_path / level / "gateway.yaml").write_text(f"log_level: {level}")
    (tmp_path / "data").symlink_to("INFO")
    (tmp_path / "gateway.yaml").symlink_to("data/gateway.yaml")
    known = files()
    assert known.read().settings.logging.level == "INFO"
    (tmp_path / "next").symlink_to("ERROR")
    (tmp_path / "next").replace(tmp_path / "data")
    assert looks(known, 2) == [False, True]
    assert known.read().settings.logging.level == "ERROR"


def test_what_cannot_be_used_is_news_once_only(files: Any, tmp_path: Path) -> None:
    known = files()
    known.read()
    write(tmp_path, "log_level: [")
    assert looks(known, 2) == [False, True]
    with pytest.raises(ConfigurationError):
        known.read()
    assert looks(known) == [False, False, False]


def test_the_same_change_has_the_same_name_for_all_who_see_it(files: Any, tmp_path: Path) -> None:
    one, two = files(), files()
    one.read()
    two.read()
    write(tmp_path, "log_level: ERROR")
    names = {known.news() for known in (one, two) for _ in range(2)} - {None}
    assert len(names) == 1


def test_a_secret_in_a_file_of_its_own_is_looked_at_too(files: Any, tmp_path: Path) -> None:
    write(tmp_path, f"{SECRET}a", "key")
    known = files(GLM_API_KEY_FILE="key")
    before = known.read().version
    write(tmp_path, f"{SECRET}b", "key")
    assert looks(known, 2) == [False, True]
    assert known.read().version != before


def test_the_key_that_tokens_are_verified_by_is_looked_at_too(files: Any, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    write(tmp_path, "PUBLIC KEY one", "key.pem")
    write(tmp_path, f"access: {{jwt: {{public_key_file: {key}}}}}")
    known = files()
    before = known.read().version
    write(tmp_path, "PUBLIC KEY two", "key.pem")
    assert looks(known, 2) == [False, True]
    assert known.read().version != before


# What of it counts


def test_what_cannot_change_is_named_and_stays(files: Any, tmp_path: Path) -> None:
    known = files()
    running = known.read().settings
    write(tmp_path, "server: {port: 1, data_dir: there, max_body_bytes: 5000}\nstore: {redis_url: redis://h/1}")
    reading = known.read(running)
    assert reading.needs_restart == ("server.port", "server.data_dir", "store.redis_url")
    assert reading.settings.server == running.server.model_copy(update={"max_body_bytes": 5000})
    assert reading.settings.store == running.store


def test_everything_that_is_fixed_is_a_setting() -> None:
    other = Settings(server=ServerSettings(host="h", port=1), store=StoreSettings(prefix="p"))
    settings, changed = settled(Settings(), other)
    assert changed == ("server.host", "server.port", "store.prefix")
    assert settings == Settings()
    assert len(set(FIXED)) == len(FIXED)


def test_a_provider_at_the_address_that_stays_is_a_mistake(files: Any, tmp_path: Path) -> None:
    known = files(PORT="9000")
    running = known.read().settings
    changed = files(PORT="9001", OPENAI_BASE_URL="http://127.0.0.1:9000/v1", OPENAI_API_KEY="sk-x")
    with pytest.raises(ConfigurationError, match="own address"):
        changed.read(running)


def test_every_mistake_is_told(files: Any, tmp_path: Path) -> None:
    known = files(lambda settings, where: ["one is wrong", "two is wrong"])
    with pytest.raises(ConfigurationError) as raised:
        known.read()
    assert raised.value.problems == ("one is wrong", "two is wrong")


# What it is called


GUARDED = ("access: {keys: [{name: me, key: a-long-enough-key}]}", f"access: {{jwt: {{secret: {SECRET * 2}}}}}")


@pytest.mark.parametrize("left", ["", "log_level: ERROR", "access: {keys: []}"])
@pytest.mark.parametrize("before", GUARDED)
def test_a_door_that_is_shut_is_not_opened_by_a_file_that_lost_its_keys(
    files: Any, tmp_path: Path, before: str, left: str
) -> None:
    write(tmp_path, before)
    known = files()
    running = known.read().settings
    write(tmp_path, left)
    with pytest.raises(ConfigurationError) as told:
        known.read(running)
    assert told.value.problems == (UNGUARDED,)
    for other in GUARDED:
        write(tmp_path, other)
        known.read(running)


def test_one_that_was_open_may_stay_so_and_a_start_may_open_it(files: Any, tmp_path: Path) -> None:
    running = files().read().settings
    write(tmp_path, "log_level: ERROR")
    assert files().read(running).settings.logging.level == "ERROR"


def test_the_version_is_that_of_what_is_said_and_not_of_how(files: Any, tmp_path: Path) -> None:
    known = files()
    plain = known.read().version
    write(tmp_path, "# nothing but the default\nlog_level: INFO\n")
    assert known.read().version == plain
    versions = set()
    for key in ("a", "b"):
        write(tmp_path, f"providers: {{glm: {{api_key: {SECRET}{key}}}}}")
        reading = known.read()
        versions.add(reading.version)
        assert SECRET not in repr(reading.shown)
    assert len(versions | {plain}) == 3, "a secret alone makes another"
