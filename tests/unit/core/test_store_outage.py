"""A real redis that dies, hangs and comes back under a store that goes on."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Store, Window
from core.store.opening import open_store
from tests.fakes import FakeClock
from tests.gateway import eventually
from tests.redis_server import RedisServer

WINDOW = Window("k", 8, 60)
Outage = Callable[[], None]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path, durable=True) as running:
        yield running


@pytest.fixture
def store(server: RedisServer, clock: FakeClock, tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(redis_url=SecretStr(server.url))
    with closing(open_store(settings, tmp_path, clock)) as opened:
        opened.expect(4)
        opened.records.put("kind", "key", {"n": 1})
        assert opened.counters.take([WINDOW], clock.now()).granted
        yield opened


@pytest.fixture(params=["killed", "frozen"])
def outage(request: pytest.FixtureRequest, server: RedisServer) -> tuple[Outage, Outage]:
    """How it begins, and how it ends."""
    return (server.stop, server.start) if request.param == "killed" else (server.freeze, server.thaw)


def test_everything_goes_on_during_an_outage_and_comes_back_after_it(
    store: Store, clock: FakeClock, outage: tuple[Outage, Outage]
) -> None:
    begin, end = outage
    with capture_logs() as logs:
        begin()
        assert sum(store.counters.take([WINDOW], clock.now()).granted for _ in range(20)) == 2, "8 // 4 workers"
        assert store.degraded
        assert not store.ping()
        assert store.records.get("kind", "key") == {"n": 1}
        assert store.records.all("kind") == {"key": {"n": 1}}
        with pytest.raises(StoreUnavailable):
            store.records.put("kind", "key", {"n": 2})
        end()
        clock.advance(1)
        store.records.change("kind", "key", lambda old: {"n": (old or {})["n"] + 1})
        assert not store.degraded
        assert store.records.get("kind", "key") == {"n": 2}
    assert [entry["event"] for entry in logs] == ["store_degraded", "store_recovered"]


def test_what_was_counted_before_a_short_outage_still_counts_after_it(
    store: Store, clock: FakeClock, outage: tuple[Outage, Outage]
) -> None:
    begin, end = outage
    begin()
    store.ping()
    end()
    clock.advance(1)
    assert store.counters.take([WINDOW], clock.now()).readings[0].remaining == 6


def test_what_is_settled_just_as_redis_goes_away_is_settled_when_it_is_back(
    store: Store, clock: FakeClock, outage: tuple[Outage, Outage]
) -> None:
    begin, end = outage
    window, now = Window("usd", 100, 86_400, 60, kind="fixed"), clock.now()
    assert store.counters.take([window], now).granted
    store.counters.correct([replace(window, cost=-10)], now, now)
    begin()
    store.counters.correct([replace(window, cost=-40)], now, now)
    end()
    clock.advance(1)
    store.save()
    look = replace(window, cost=0)
    assert eventually(lambda: store.counters.take([look], now).readings[0].remaining == 90)


def test_answers_never_get_mixed_up_after_a_timeout(server: RedisServer, store: Store, clock: FakeClock) -> None:
    store.records.put("kind", "other", {"n": 7})
    server.freeze()
    store.records.get("kind", "key")
    server.thaw()
    clock.advance(1)
    assert store.records.get("kind", "other") == {"n": 7}
    assert not store.degraded


def test_a_gateway_that_starts_without_redis_starts_alone(tmp_path: Path, clock: FakeClock) -> None:
    server = RedisServer(tmp_path)
    settings = StoreSettings(redis_url=SecretStr(server.url))
    with closing(open_store(settings, tmp_path, clock)) as store:
        assert store.counters.take([WINDOW], clock.now()).granted
        assert store.records.all("kind") == {}
        assert store.degraded
        with server:
            clock.advance(1)
            store.records.put("kind", "key", {})
            assert not store.degraded
