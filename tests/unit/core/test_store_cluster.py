"""What the redis home promises on a real cluster: one slot for what belongs together, and servers that change."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.crc import key_slot
from structlog.testing import capture_logs

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Store, Window
from core.store.opening import open_store
from core.store.redis import RedisStore
from tests.fakes import FakeClock
from tests.redis_cluster import RedisCluster
from tests.redis_server import PATIENCE, RedisServer

NOW = 1_795_000_000.5
WINDOW = Window("k", 8, 60)
LIMITS = "ours:{ours:limits}"


def connect(url: str, timeout: float = 5.0) -> RedisStore:
    return RedisStore(StoreSettings(redis_url=SecretStr(url), prefix="ours", timeout=timeout))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster"), password="of-the-cluster") as cluster:
        yield cluster


@pytest.fixture
def cluster(running: RedisCluster) -> RedisCluster:
    running.flush()
    return running


@pytest.fixture
def store(cluster: RedisCluster) -> Iterator[RedisStore]:
    with closing(connect(cluster.url)) as opened:
        yield opened


def others(cluster: RedisCluster, owner: RedisServer) -> list[RedisServer]:
    return [one for one in cluster.masters if one is not owner]


def test_windows_are_in_one_slot_and_all_else_is_spread(cluster: RedisCluster, store: RedisStore) -> None:
    store.counters.take([Window(f"key:{n}", 9, 60) for n in range(20)], NOW)
    store.counters.take([Window("day", 9, 86_400, kind="fixed"), Window("b", 9, 60, kind="bucket")], NOW)
    store.counters.keep({f"text {n}": "x" for n in range(40)}, 60, NOW)
    for n in range(20):
        store.records.put(f"kind{n}", "key", {})
        store.counters.lock(f"lock {n}", "one", 60, NOW)
        store.counters.claim(f"places {n}", "one", 1, 60, NOW)
    slots: dict[str, set[int]] = {}
    for key in cluster.all_keys():
        slots.setdefault(key.split(":")[1].strip("{}"), set()).add(key_slot(key.encode()))
    assert len(slots.pop("ours")) == 21, "each kind of records has a slot, and all windows have one"
    assert {name: len(found) > 10 for name, found in slots.items()} == {"kept": True, "lock": True, "places": True}


def test_gateways_with_other_prefixes_have_their_windows_elsewhere(cluster: RedisCluster) -> None:
    tags = set()
    for prefix in ("one", "two"):
        settings = StoreSettings(redis_url=SecretStr(cluster.url), prefix=prefix, timeout=5)
        with closing(RedisStore(settings)) as store:
            assert store.counters.take([Window("k", 1, 60)], NOW).granted, "they know nothing of each other"
        tags.add(key_slot(f"{prefix}:{{{prefix}:limits}}".encode()))
    assert len(tags) == 2


def test_a_slot_that_has_moved_is_followed_and_nothing_is_lost(cluster: RedisCluster, store: RedisStore) -> None:
    assert [store.counters.take([WINDOW], NOW).granted for _ in range(3)] == [True] * 3
    target = others(cluster, cluster.owner(LIMITS))[0]
    cluster.move(LIMITS, target)
    assert sum(store.counters.take([WINDOW], NOW).granted for _ in range(10)) == 5


def test_a_redirect_is_learnt_from(cluster: RedisCluster, store: RedisStore) -> None:
    store.counters.take([WINDOW], NOW)
    source = cluster.owner(LIMITS)
    cluster.move(LIMITS, others(cluster, source)[0])
    store.counters.take([WINDOW], NOW)
    cluster.client(source).execute_command("CONFIG RESETSTAT")
    for _ in range(20):
        store.counters.take([WINDOW], NOW)
    errors = cluster.client(source).execute_command("INFO", "errorstats").decode()
    assert "errorstat_MOVED" not in errors


def test_many_texts_are_found_wherever_their_slots_have_gone(cluster: RedisCluster, store: RedisStore) -> None:
    texts = {f"text {n}": str(n) for n in range(30)}
    store.counters.keep(texts, 60, NOW)
    for n in range(4):
        key = f"ours:kept:text {n}"
        cluster.move(key, others(cluster, cluster.owner(key))[n % 2])
    assert store.counters.kept([*texts, "never"], NOW) == texts
    for n in range(4, 8):
        key = f"ours:kept:text {n}"
        cluster.move(key, others(cluster, cluster.owner(key))[n % 2])
    store.counters.keep(texts | {"text 5": "new"}, 60, NOW)
    assert store.counters.kept(["text 5"], NOW) == {"text 5": "new"}


def test_while_a_slot_moves_its_keys_are_asked_for_where_they_are(cluster: RedisCluster, store: RedisStore) -> None:
    store.counters.take([WINDOW], NOW)
    target = others(cluster, cluster.owner(LIMITS))[0]
    source = cluster.begin_move(LIMITS, target)
    assert store.counters.take([WINDOW], NOW).granted, "it is here still"
    assert store.counters.take([Window("new", 1, 60)], NOW).granted, "it begins there"
    assert not store.counters.take([Window("new", 1, 60)], NOW).granted
    with pytest.raises(StoreUnavailable):
        store.counters.take([WINDOW, Window("new", 9, 60)], NOW)
    cluster.move_keys(source, target, [f"{LIMITS}:60.0:k"])
    assert sum(store.counters.take([WINDOW], NOW).granted for _ in range(4)) == 4, "it is there now"
    cluster.end_move(LIMITS, target)
    assert sum(store.counters.take([WINDOW, Window("new", 9, 60)], NOW).granted for _ in range(10)) == 2


def test_nothing_connects_before_the_first_command(cluster: RedisCluster) -> None:
    def connected() -> list[int]:
        told = [cluster.client(one).execute_command("INFO", "clients").decode() for one in cluster.masters]
        return [int(one.split("connected_clients:")[1].split()[0]) for one in told]

    before = connected()
    with closing(connect(cluster.url)):
        assert connected() == before


def test_a_server_that_is_no_cluster_is_unavailable(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, closing(connect(f"redis+cluster://127.0.0.1:{server.port}")) as store:
        assert not store.ping()
        with pytest.raises(StoreUnavailable):
            store.counters.take([WINDOW], NOW)


def test_a_node_that_is_frozen_costs_a_bounded_time_and_the_others_tell_what_they_know(
    cluster: RedisCluster, store: RedisStore
) -> None:
    with closing(connect(cluster.url, timeout=0.1)) as hasty:
        assert hasty.ping()
        cluster.masters[0].freeze()
        try:
            for _ in range(4):
                began = time.monotonic()
                assert not hasty.ping()
                assert time.monotonic() - began < 2, "a few times 0.1 s"
        finally:
            cluster.masters[0].thaw()
        cluster.wait_until_whole()
        assert hasty.ping()


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path, copied=LIMITS) as cluster:
        yield cluster


def resilient(cluster: RedisCluster, clock: FakeClock) -> Store:
    settings = StoreSettings(redis_url=SecretStr(cluster.url), prefix="ours", timeout=0.5)
    store = open_store(settings, Path("unused"), clock)
    store.expect(4)
    return store


def test_when_a_master_fails_the_store_goes_on_alone_until_its_replica_has_taken_over(doomed: RedisCluster) -> None:
    clock, lost = FakeClock(NOW), doomed.owner(LIMITS)
    names = [f"kind{n}" for n in range(30)]
    on_lost = next(one for one in names if doomed.owner(f"ours:{{ours:records:{one}}}") is lost)
    on_living = next(one for one in names if doomed.owner(f"ours:{{ours:records:{one}}}") is not lost)
    with closing(resilient(doomed, clock)) as store, capture_logs() as logs:
        for kind in (on_lost, on_living):
            store.records.put(kind, "key", {"n": 1})
        doomed.wait_until_copied()
        doomed.lose(lost)
        with pytest.raises(StoreUnavailable):
            store.records.put(on_lost, "key", {"n": 2})
        assert store.degraded
        clock.advance(1)
        assert store.records.get(on_living, "key") == {"n": 1}, "as it was last seen"
        assert store.degraded, "a part of it is away still"
        assert sum(store.counters.take([WINDOW], clock.now()).granted for _ in range(9)) == 2, "8 // 4 workers"
        until = time.monotonic() + PATIENCE
        while store.degraded:
            assert time.monotonic() < until
            time.sleep(0.05)
            clock.advance(1)
            store.ping()
        assert store.records.get(on_lost, "key") == {"n": 1}
        store.records.put(on_lost, "key", {"n": 2})
        assert not store.degraded
    assert [entry["event"] for entry in logs] == ["store_degraded", "store_recovered"]


def test_the_fullest_node_tells_how_full_the_cluster_is(cluster: RedisCluster, store: RedisStore) -> None:
    fullest = cluster.client(cluster.masters[1])
    assert store.measure() == 0
    fullest.config_set("maxmemory", 1_000_000_000)
    try:
        assert 0 < store.measure() < 0.5
    finally:
        fullest.config_set("maxmemory", 0)
