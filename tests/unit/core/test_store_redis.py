"""What the redis home promises beyond the contract, on a real redis."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Overtaken, Room, Span, Store, Window, WindowKind
from core.store.redis import RedisStore
from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[3]
NOW = 1_795_000_000.5
PATIENT = 5.0
MEGABYTE = 1024 * 1024
WORKER = """
import sys
from pydantic import SecretStr
from config.settings import StoreSettings
from core.store.base import Window
from core.store.redis import RedisStore
store = RedisStore(StoreSettings(redis_url=SecretStr(sys.argv[1]), timeout=5))
windows = [Window("shared", 100, 60), Window("wide", 1000, 60)]
print("ready", flush=True)
sys.stdin.readline()
print(sum(store.counters.take(windows, float(sys.argv[2])).granted for _ in range(250)))
"""


def connect(url: str, **options: Any) -> RedisStore:
    return RedisStore(StoreSettings(redis_url=SecretStr(url), **{"timeout": PATIENT, **options}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def admin(server: RedisServer) -> Iterator[redis.Redis]:
    """A look at the same redis from outside, empty at first."""
    with closing(redis.Redis.from_url(server.url)) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(server: RedisServer, admin: redis.Redis) -> Iterator[RedisStore]:
    with closing(connect(server.url, prefix="ours")) as opened:
        yield opened


def commands(admin: redis.Redis, act: Callable[[], object]) -> list[str]:
    """The commands that clients send while `act` runs; those that scripts run inside redis are none."""
    port = admin.connection_pool.connection_kwargs["port"]
    with closing(redis.Redis(port=port)) as watcher, watcher.monitor() as monitor:
        act()
        admin.echo("over")
        seen: list[str] = []
        for entry in monitor.listen():
            if entry["command"] == "ECHO over":
                return seen
            if entry["client_type"] != "lua":
                seen.append(str(entry["command"]).split()[0])
    raise AssertionError


@pytest.mark.parametrize("windows", [1, 3])
def test_a_take_is_one_trip_whatever_it_finds(store: RedisStore, admin: redis.Redis, windows: int) -> None:
    asked = [Window(f"k{number}", 2, 60) for number in range(windows)]
    store.counters.take(asked, NOW)  # redis learns the script
    seen = commands(admin, lambda: [store.counters.take(asked, NOW) for _ in range(5)])
    assert seen == ["EVALSHA"] * 5


def test_locks_and_records_are_one_trip_too(store: RedisStore, admin: redis.Redis) -> None:
    def act() -> None:
        store.counters.lock("l", "one", 30, NOW)
        store.counters.unlock("l", "one")
        store.counters.correct([Window("a", 9, 60), Window("b", 9, 60)], NOW, NOW)
        store.records.put("kind", "key", {})
        store.records.put_all("kind", {"one": {}, "two": {}})
        store.records.get("kind", "key")
        store.records.all("kind")
        store.records.page("kind", Span())
        store.records.delete("kind", "key")
        store.records.prune("kind", "z", 10)
        store.records.drop("kind")

    act()
    assert commands(admin, act) == [
        *("EVALSHA", "EVALSHA"),
        *("EVALSHA", "EVALSHA", "EVALSHA"),
        *("HGET", "HGETALL", "EVALSHA"),
        *("EVALSHA", "EVALSHA", "UNLINK"),
    ]


def test_scripts_that_redis_has_forgotten_are_sent_again(store: RedisStore, admin: redis.Redis) -> None:
    for _ in range(2):
        admin.script_flush()
        assert store.counters.take([Window("k", 2, 60)], NOW).granted
    assert not store.counters.take([Window("k", 2, 60)], NOW).granted


def test_every_key_has_the_prefix_and_those_of_windows_one_hash_tag(store: RedisStore, admin: redis.Redis) -> None:
    store.counters.take([Window("a", 2, 60), Window("b", 2, 0.5)], NOW)
    store.counters.lock("l", "one", 30, NOW)
    store.records.put("kind", "key", {})
    keys = sorted(key.decode() for key in admin.keys())  # noqa: SIM118 - a client is no mapping
    assert keys == [
        *("ours:lock:l", "ours:{ours:limits}:0.5:b", "ours:{ours:limits}:60.0:a"),
        *("ours:{ours:records:kind}", "ours:{ours:records:kind}:order"),
    ]


def test_a_room_takes_no_more_of_redis_than_it_has(store: RedisStore, admin: redis.Redis) -> None:
    store.counters.keep({"warm": "up"}, 60, NOW, Room("r", 1_000_000))
    before = admin.info("memory")["used_memory"]
    for size, count in ((10_000, 150), (100, 1300)):
        for number in range(count):
            store.counters.keep({f"text {size} {number}": "x" * size}, 60, NOW + number / 1000, Room("r", 1_000_000))
        assert admin.info("memory")["used_memory"] - before < 1_200_000
    assert admin.hlen("ours:{ours:room:r}:sizes") == admin.zcard("ours:{ours:room:r}:order") + 1
    assert 0 < admin.pttl("ours:{ours:room:r}:order") <= 62_000
    assert int(admin.hget("ours:{ours:room:r}:sizes", "") or 0) <= 1_000_000


def test_what_nobody_uses_any_more_expires(store: RedisStore, admin: redis.Redis) -> None:
    store.counters.take([Window("k", 2, 60)], NOW)
    store.counters.lock("l", "one", 30, NOW)
    assert 59_000 < admin.pttl("ours:{ours:limits}:60.0:k") <= 62_000
    assert 29_000 < admin.pttl("ours:lock:l") <= 30_000


def test_refusals_and_readings_leave_nothing_behind(store: RedisStore, admin: redis.Redis) -> None:
    store.counters.take([Window("refused", 1, 60, cost=2), Window("not counted then", 5, 60)], NOW)
    store.counters.take([Window("only read", 1, 60, cost=0)], NOW)
    assert admin.keys() == []


def test_a_key_that_is_used_for_ever_holds_no_more_than_its_limit(store: RedisStore, admin: redis.Redis) -> None:
    for second in range(200):
        store.counters.take([Window("k", 10, 60)], NOW + second)
    assert admin.llen("ours:{ours:limits}:60.0:k") <= 10


def test_records_never_expire(store: RedisStore, admin: redis.Redis) -> None:
    store.records.put("kind", "key", {})
    assert admin.pttl("ours:{ours:records:kind}") == -1


def test_processes_together_are_granted_the_limit_exactly(server: RedisServer, admin: redis.Redis) -> None:
    command = [sys.executable, "-c", WORKER, server.url, str(NOW)]
    pipes: dict[str, Any] = {"cwd": ROOT, "text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    workers = [subprocess.Popen(command, **pipes) for _ in range(4)]
    assert [worker.stdout.readline() for worker in workers if worker.stdout] == ["ready\n"] * 4
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert sum(int(worker.communicate()[0]) for worker in workers) == 100
    with closing(connect(server.url)) as store:
        assert store.counters.take([Window("wide", 1000, 60, cost=0)], NOW).readings[0].remaining == 900


def test_nothing_connects_before_the_first_command(server: RedisServer, admin: redis.Redis) -> None:
    before = admin.info("clients")["connected_clients"]
    with closing(connect(server.url)):
        assert admin.info("clients")["connected_clients"] == before


def test_a_record_that_others_change_without_end_is_given_up(server: RedisServer, store: RedisStore) -> None:
    with closing(connect(server.url, prefix="ours")) as other:
        turns = iter(range(1000))

        def overtaken(_: object) -> dict[str, Any]:
            other.records.put("kind", "key", {"n": next(turns)})
            return {}

        with pytest.raises(Overtaken, match="kind/key"):
            store.records.change("kind", "key", overtaken)


def test_many_threads_share_a_bounded_number_of_connections(store: RedisStore, admin: redis.Redis) -> None:
    with ThreadPoolExecutor(100) as pool:
        taken = list(pool.map(lambda _: store.counters.take([Window("k", 50, 60)], NOW), range(400)))
    assert sum(one.granted for one in taken) == 50
    assert admin.info("clients")["connected_clients"] <= 66


CALLS: dict[str, Callable[[Store], object]] = {
    "take": lambda store: store.counters.take([Window("k", 1, 60)], NOW),
    "lock": lambda store: store.counters.lock("l", "one", 30, NOW),
    "unlock": lambda store: store.counters.unlock("l", "one"),
    "get": lambda store: store.records.get("kind", "key"),
    "all": lambda store: store.records.all("kind"),
    "put": lambda store: store.records.put("kind", "key", {}),
    "change": lambda store: store.records.change("kind", "key", lambda _: {}),
    "delete": lambda store: store.records.delete("kind", "key"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_redis_that_is_gone_or_frozen_is_one_kind_of_error(call: Callable[[Store], object], tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, closing(connect(server.url, timeout=0.05)) as store:
        call(store)
        server.freeze()
        with pytest.raises(StoreUnavailable):
            call(store)
        server.thaw()
        server.stop()
        with pytest.raises(StoreUnavailable):
            call(store)
        server.start()
        call(store)


def test_a_silent_redis_costs_one_timeout_and_one_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with closing(connect(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", timeout=0.05)) as store:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.counters.take([Window("k", 1, 60)], NOW)
            # Forty times what was asked for, yet well below the library's own five seconds.
            assert time.monotonic() - began < 2
        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_full_redis_is_kept_for_what_must_not_be_lost(store: RedisStore, admin: redis.Redis) -> None:
    assert store.measure() == 0, "it has no bound"
    used = int(admin.info("memory")["used_memory"])
    admin.config_set("maxmemory", used + MEGABYTE)
    try:
        assert 0.5 < store.measure() < 1
        for number in range(500):
            store.counters.keep({f"helps {number}": "x" * 4000}, 60, NOW)
            if number % 10 == 0:
                store.measure()
            assert store.counters.take([Window(f"key:{number}", 1, 60)], NOW).granted
        assert store.counters.kept(["helps 0", "helps 499"], NOW).keys() <= {"helps 0"}
        store.counters.keep({"bounded": "x"}, 60, NOW, Room("answers", 1000))
        assert store.counters.kept(["bounded"], NOW)
    finally:
        admin.config_set("maxmemory", 0)
    assert store.measure() == 0
    store.counters.keep({"helps": "again"}, 60, NOW)
    assert store.counters.kept(["helps"], NOW)


def test_a_redis_that_does_not_tell_how_full_it_is_serves_as_before(server: RedisServer, admin: redis.Redis) -> None:
    admin.acl_setuser("quiet", enabled=True, nopass=True, commands=["+@all", "-info"], keys=["*"])
    with closing(connect(f"redis://quiet:any@127.0.0.1:{server.port}/0")) as store:
        assert store.measure() == 0
        store.counters.keep({"a": "1"}, 60, NOW)
        assert store.counters.kept(["a"], NOW)


@pytest.mark.parametrize(("kind", "later"), [("fixed", 2), ("sliding", 9)])
def test_what_was_taken_before_redis_lost_it_is_not_given_back_from_what_was_taken_since(
    store: RedisStore, admin: redis.Redis, kind: WindowKind, later: int
) -> None:
    def window(cost: int) -> Window:
        return Window("budget", 100, 60 if kind == "sliding" else 86_400, cost, kind=kind)

    store.counters.take([window(40)], NOW)
    store.counters.correct([window(-39)], NOW, NOW + 1)
    assert store.counters.take([window(40)], NOW + 1).readings[0].remaining == 59
    admin.flushall()
    store.counters.take([window(10)], NOW + later)
    store.counters.correct([window(-39)], NOW + 1, NOW + later + 1)
    assert store.counters.take([window(0)], NOW + later + 1).readings[0].remaining == 90
    store.counters.correct([window(-9)], NOW + later, NOW + later + 1)
    assert store.counters.take([window(0)], NOW + later + 1).readings[0].remaining == 99
