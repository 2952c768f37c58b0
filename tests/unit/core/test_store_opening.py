"""Which home the settings choose, and what is told of an address that cannot be used."""

import traceback
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.embedded import EmbeddedStore
from core.store.opening import open_store
from core.store.redis import RedisStore
from core.store.resilient import ResilientStore
from tests.fakes import FakeClock
from tests.redis_server import RedisServer

PASSWORD = "hunter2-and-more"


def connect(url: str) -> RedisStore:
    return RedisStore(StoreSettings(redis_url=SecretStr(url), timeout=5))


def told(error: BaseException) -> str:
    """All that a traceback would show."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "url",
    [f"http://:{PASSWORD}@127.0.0.1:6379/0", f"redis://:{PASSWORD}@[127.0.0.1:6379/0"],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a redis") as caught:
        connect(url)
    assert PASSWORD not in told(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://user:pass@example.org:6380/1",
        "unix:///run/redis.sock?db=1",
        "redis://[::1]:6379/0",
        "rediss+sentinel://user:pass@one,two/master/1",
        "rediss+cluster://user:pass@one,two",
    ],
)
def test_the_usual_forms_of_a_url_are_taken(url: str) -> None:
    connect(url).close()


@pytest.mark.parametrize("named", ["setting", "option"])
def test_certificates_that_cannot_be_read_are_refused_at_the_start(tmp_path: Path, named: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    url = "rediss://h" if named == "setting" else f"rediss+cluster://h?ssl_ca_certs={file}"
    settings = StoreSettings(redis_url=SecretStr(url), ca_file=file if named == "setting" else None)
    with pytest.raises(ValueError, match=r"certificates for redis .store.ca_file"):
        RedisStore(settings)


def test_a_wrong_password_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path, password="right") as server:
        with closing(connect(server.url.replace("right", PASSWORD))) as store:
            with pytest.raises(StoreUnavailable) as caught:
                store.records.all("kind")
            assert PASSWORD not in told(caught.value) + repr(store) + repr(vars(store))
            assert not store.ping()
        with closing(connect(server.url)) as store:
            assert store.ping()


def test_settings_choose_the_home(tmp_path: Path) -> None:
    with closing(open_store(StoreSettings(), tmp_path, FakeClock())) as store:
        assert isinstance(store, EmbeddedStore)
    shared = StoreSettings(redis_url=SecretStr("redis://127.0.0.1:1/0"))
    with closing(open_store(shared, tmp_path / "unused", FakeClock())) as store:
        assert isinstance(store, ResilientStore)
    assert not (tmp_path / "unused").exists()
