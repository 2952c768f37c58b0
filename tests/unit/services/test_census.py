"""How the workers learn how many they are."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.store.base import Window
from core.store.embedded import EmbeddedStore
from core.store.resilient import ResilientStore
from services.census import BEAT_SECONDS, GONE_SECONDS, KIND, Census
from tests.fakes import FakeClock
from tests.unit.core.store_kit import Home

LIMIT = 60


class House:
    """Workers with a store each, all before the same home."""

    def __init__(self, home: Home) -> None:
        self.clock = FakeClock()
        self.home = home
        self.stores: dict[str, ResilientStore] = {}

    def worker(self, name: str) -> Census:
        self.stores[name] = ResilientStore(self.home, self.clock)
        return Census(self.stores[name], self.clock, name)

    def share(self, name: str) -> int:
        """How much of the limit the worker would grant alone."""
        window = Window("k", LIMIT, 60, cost=0)
        self.home.away = True
        remaining = self.stores[name].counters.take([window], self.clock.now()).readings[0].remaining
        self.home.away = False
        self.clock.advance(1)
        self.stores[name].ping()
        return remaining


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(Home(tmp_path)) as home:
        yield House(home)


def test_each_worker_learns_how_many_there_are(house: House) -> None:
    workers = [house.worker(name) for name in ("a", "b", "c")]
    for _ in range(2):
        for worker in workers:
            worker.beat()
    assert [house.share(name) for name in ("a", "b", "c")] == [20, 20, 20]


def test_a_worker_that_was_killed_is_counted_no_longer_after_a_while(house: House) -> None:
    one, two = house.worker("a"), house.worker("b")
    two.beat()
    for _ in range(int(GONE_SECONDS / BEAT_SECONDS)):
        house.clock.advance(BEAT_SECONDS)
        one.beat()
    assert house.share("a") == 30, "three missed beats are forgiven"
    house.clock.advance(BEAT_SECONDS)
    one.beat()
    assert house.share("a") == 60
    assert list(house.home.records.all(KIND)) == ["a"], "nothing is left of it"


def test_a_worker_that_leaves_is_counted_no_longer_at_once(house: House) -> None:
    one, two = house.worker("a"), house.worker("b")
    two.beat()
    two.leave()
    one.beat()
    assert house.share("a") == 60


def test_while_the_home_is_away_the_last_count_stands(house: House) -> None:
    one, two = house.worker("a"), house.worker("b")
    two.beat()
    one.beat()
    house.home.away = True
    house.clock.advance(10 * GONE_SECONDS)
    one.beat()
    one.leave()
    assert house.share("a") == 30


def test_a_record_it_cannot_read_as_a_time_counts_for_nobody(house: House) -> None:
    house.home.records.put(KIND, "older version", {"since": "yesterday"})
    house.worker("a").beat()
    assert house.share("a") == 60


def test_a_worker_alone_with_a_file_keeps_the_census_too(tmp_path: Path) -> None:
    with closing(EmbeddedStore(tmp_path)) as store:
        Census(store, FakeClock(), "a").beat()
        assert list(store.records.all(KIND)) == ["a"]
