"""Nothing is reserved in redis for those who have gone on without its answer."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from struct import pack
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Window
from core.store.deadline import Deadline
from core.store.redis import RedisStore
from core.store.redis_counters import RedisCounters
from tests.gateway import eventually
from tests.redis_server import RedisServer

NOW = 1_795_000_000.5
TIMEOUT = 0.1
DAY = Window("usd", 1000, 86_400, 100, kind="fixed")
MANY = 8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as running:
        yield running


def scripts(admin: redis.Redis) -> int:
    """How many scripts redis has run."""
    stats: Any = admin.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))


def test_what_a_redis_that_hung_finds_behind_it_is_not_taken_however_short_that_was(server: RedisServer) -> None:
    settings = StoreSettings(redis_url=SecretStr(server.url), timeout=TIMEOUT)
    with closing(RedisStore(settings)) as store, closing(redis.Redis.from_url(server.url)) as admin:
        counters = store.counters

        def take(_: int) -> bool:
            try:
                return counters.take([DAY], NOW).granted
            except StoreUnavailable:
                return False

        with ThreadPoolExecutor(MANY) as pool:
            assert all(take(0) for _ in range(2)), "it learns the script, and the time that redis has"
            before = scripts(admin)
            server.freeze()
            assert not any(pool.map(take, range(MANY)))
            server.thaw()
            assert eventually(lambda: scripts(admin) == before + MANY)
        assert counters.take([DAY], NOW).readings[0].remaining == 700


class Clocked:
    """A redis with the clock that it is given, and nothing in it."""

    def __init__(self) -> None:
        self.clock = time.monotonic
        self.late: list[bool] = []

    def script(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> bytes:
        there, deadline = self.clock(), arguments[1]
        self.late.append(0 < deadline < there)
        return pack("<d", there) if self.late[-1] else pack("<5d", there, 1, 900, 0, 0)


def test_a_clock_that_was_set_costs_one_more_question() -> None:
    link = Clocked()
    counters = RedisCounters(link, "p", TIMEOUT)  # type: ignore[arg-type] # the part that is used
    for ahead, asked in ((0.0, 1), (3600.0, 2), (3600.0, 1), (-3600.0, 1), (0.0, 2)):
        link.clock = lambda ahead=ahead: time.monotonic() + 10_000 + ahead  # type: ignore[misc] # bound now
        link.late.clear()
        assert counters.take([DAY], NOW).granted
        assert len(link.late) == asked


def test_the_shortest_way_there_tells_best_what_time_it_is() -> None:
    deadline = Deadline(TIMEOUT)
    assert deadline.of(10.0) == 0
    deadline.learn(10.0, 110.5)
    deadline.learn(20.0, 120.1)
    deadline.learn(30.0, 130.4)
    assert deadline.of(40.0) == pytest.approx(140.1 + TIMEOUT)
    deadline.relearn(40.0, 240.3)
    assert deadline.of(50.0) == pytest.approx(250.3 + TIMEOUT), "others go by the new one at once"
