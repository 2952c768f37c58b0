"""What the redis home promises behind a real sentinel: a new master is found, and nothing waits for it."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Window
from core.store.opening import open_store
from core.store.redis import RedisStore
from tests.fakes import FakeClock
from tests.redis_sentinel import SentinelHouse
from tests.redis_server import PATIENCE

NOW = 1_795_000_000.5
WINDOW = Window("k", 8, 60)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SentinelHouse]:
    with SentinelHouse(tmp_path) as running:
        yield running


def settings(house: SentinelHouse, **more: object) -> StoreSettings:
    given = {"redis_url": house.url, "sentinel_password": house.SENTINEL_PASSWORD, "timeout": 5, **more}
    return StoreSettings.model_validate(given)


def test_the_master_is_found_and_both_contracts_work_there(house: SentinelHouse) -> None:
    with closing(RedisStore(settings(house))) as store:
        assert store.ping()
        assert sum(store.counters.take([WINDOW], NOW).granted for _ in range(9)) == 8
        store.counters.keep({"a": "1", "b": "2"}, 60, NOW)
        assert store.counters.kept(["a", "b", "c"], NOW) == {"a": "1", "b": "2"}
        store.records.put("kind", "key", {"n": 1})
        assert store.records.all("kind") == {"key": {"n": 1}}
        assert store.measure() == 0


def test_a_planned_failover_is_followed_without_an_error(house: SentinelHouse) -> None:
    with closing(RedisStore(settings(house))) as store:
        assert store.counters.take([WINDOW], NOW).granted
        store.counters.keep({"a": "1"}, 60, NOW)
        house.fail_over()
        assert store.counters.take([WINDOW], NOW).readings[0].remaining == 6
        store.counters.keep({"a": "2"}, 60, NOW)
        assert store.counters.kept(["a"], NOW) == {"a": "2"}


def test_texts_that_a_server_refuses_as_it_is_no_master_any_more_go_to_the_new_one(house: SentinelHouse) -> None:
    with closing(RedisStore(settings(house))) as store:
        store.counters.keep({"a": "1"}, 60, NOW)
        house.fail_over()
        store.counters.keep({"a": "2", "b": "2"}, 60, NOW)
        assert store.counters.kept(["a", "b"], NOW) == {"a": "2", "b": "2"}


def test_when_the_master_fails_the_store_goes_on_alone_until_there_is_a_new_one(house: SentinelHouse) -> None:
    clock = FakeClock(NOW)
    with closing(open_store(settings(house, timeout=0.2), Path("unused"), clock)) as store, capture_logs() as logs:
        store.expect(4)
        store.records.put("kind", "key", {"n": 1})
        assert store.counters.take([WINDOW], clock.now()).granted
        house.wait_until(house.is_copied)
        house.first.stop()
        began = time.monotonic()
        assert sum(store.counters.take([WINDOW], clock.now()).granted for _ in range(20)) == 2, "8 // 4 workers"
        assert time.monotonic() - began < 1
        assert store.degraded
        until = time.monotonic() + PATIENCE
        while store.degraded:
            assert time.monotonic() < until
            time.sleep(0.05)
            clock.advance(1)
            store.ping()
        house.wait_until(lambda: house.master_port == house.second.port)
        assert store.records.get("kind", "key") == {"n": 1}
        assert store.counters.take([WINDOW], NOW + 1).readings[0].remaining == 6, "what was counted has come along"
        store.records.put("kind", "key", {"n": 2})
    assert [entry["event"] for entry in logs] == ["store_degraded", "store_recovered"]


@pytest.mark.parametrize("wrong", ["service", "password", "nobody"])
def test_who_cannot_be_told_the_master_says_so_in_one_kind_of_error(house: SentinelHouse, wrong: str) -> None:
    url = house.url.replace("themaster", "another") if wrong == "service" else house.url
    url = url.replace(f":{house.sentinel.port}", ":2") if wrong == "nobody" else url
    password = "never" if wrong == "password" else house.SENTINEL_PASSWORD
    with closing(RedisStore(settings(house, redis_url=url, sentinel_password=SecretStr(password)))) as store:
        assert not store.ping()
        with pytest.raises(StoreUnavailable) as caught:
            store.records.get("kind", "key")
        assert type(caught.value.__cause__).__name__ == "MasterUnknown"


def test_sentinels_that_are_silent_cost_a_bounded_time(house: SentinelHouse) -> None:
    with closing(RedisStore(settings(house, timeout=0.1))) as store:
        house.sentinel.freeze()
        began = time.monotonic()
        assert not store.ping()
        assert time.monotonic() - began < 2, "a few times 0.1 s"
        house.sentinel.thaw()
        assert store.ping()
