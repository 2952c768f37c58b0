"""Prints what a request costs a worker and what it costs redis, in CPU time, so that a busy machine may be measured
too: `make scaling`. The figures are in docs/scaling.md."""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from pydantic import SecretStr

from config.settings import StoreSettings
from core.store.base import Room, Window
from core.store.redis import RedisStore
from tests.gateway import Gateway
from tests.performance import upstream as provider
from tests.performance.bench import KEY, cpu_of, many, streams
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisServer

MANY = 10**12
LIMITS = {
    "GATEWAY__RATE_LIMITS__REQUESTS_PER_MINUTE_PER_IP": str(MANY),
    "GATEWAY__RATE_LIMITS__TOKENS_PER_MINUTE": str(MANY),
    "GATEWAY__RATE_LIMITS__PROVIDERS": json.dumps({"glm": {"requests_per_minute": MANY, "tokens_per_minute": MANY}}),
    "GATEWAY__COST_BUDGET__DAILY_LIMIT": "1000000",
    "GATEWAY__COST_BUDGET__HOURLY_LIMIT": "1000000",
    "GATEWAY__COST_BUDGET__PER_KEY": json.dumps({"daily_limit": 1_000_000}),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """What redis has used so far: CPU seconds, and bytes of memory; and how often it was spoken to."""

    cpu: float = 0
    trips: int = 0
    memory: int = 0


class Watched:
    """One redis or a cluster, of which all servers are summed up."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._clients = [redis.Redis(port=port) for port in ports]

    def spent(self) -> Spent:
        told = [client.info() for client in self._clients]
        cpu = sum(one["used_cpu_sys"] + one["used_cpu_user"] for one in told)
        trips = sum(one["total_reads_processed"] for one in told)
        return Spent(cpu, trips, sum(one["used_memory"] for one in told))

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def homes(kind: str) -> Iterator[tuple[str, Watched]]:
    """A redis of that kind, and a look at what it uses."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        if kind == "cluster":
            cluster = stack.enter_context(RedisCluster(Path(name) / "cluster"))
            url, ports = cluster.url, [one.port for one in cluster.masters]
        else:
            server = stack.enter_context(RedisServer(Path(name)))
            url, ports = server.url, [server.port]
        yield url, stack.enter_context(closing(Watched(ports)))


def middle(values: Sequence[float]) -> str:
    """The least, as whatever else runs only adds to it, and the median."""
    return f"{min(values):7.2f} ({statistics.median(values):.2f})"


def yardstick() -> float:
    """Microseconds of CPU for a piece of work that is always the same, by which machines and moments compare."""
    text = json.dumps({"messages": [{"role": "user", "content": "word " * 20}] * 10})
    began = time.process_time()
    for _ in range(2000):
        json.dumps(json.loads(text))
    return (time.process_time() - began) / 2000 * 1e6


# What a command costs


def calls(store: RedisStore) -> dict[str, Callable[[int], object]]:
    """What requests do to the store, each by the number of the turn."""
    now = 1_795_000_000.0

    def take(count: int, budgets: Sequence[Window] = ()) -> Callable[[int], object]:
        windows = [*budgets, *(Window(f"w{number}", MANY, 60) for number in range(count))]
        return lambda turn: store.counters.take(windows, now + turn / 1000)

    budgets = [Window(f"b{number}", MANY, 86_400, kind="fixed") for number in range(3)]
    text = "x" * 2000
    return {
        "a reservation in 1 window": take(1),
        "a reservation in 4 windows": take(4),
        "a reservation in 4 windows and 3 budgets": take(4, budgets),
        "a text of 2 KB kept": lambda turn: store.counters.keep({f"t{turn % 500}": text}, 600, now),
        "the same in a room": lambda turn: store.counters.keep({f"r{turn % 500}": text}, 600, now, Room("r", 500_000)),
        "8 texts asked for": lambda turn: store.counters.kept([f"t{(turn + n) % 500}" for n in range(8)], now),
        "a record changed": lambda turn: store.records.change("kind", f"k{turn % 500}", lambda _: {"n": turn}),
        "a place taken": lambda turn: store.counters.claim("p", f"o{turn % 4}", 8, 15, now),
    }


def commands(kind: str, times: int, repeat: int) -> None:
    """CPU of redis and of the worker for each call."""
    with homes(kind) as (url, watched):
        settings = StoreSettings(redis_url=SecretStr(url), timeout=5)
        with closing(RedisStore(settings)) as store:
            for name, call in calls(store).items():
                call(0)
                ours, theirs = [], []
                for _ in range(repeat):
                    before, began = watched.spent(), time.process_time()
                    for turn in range(times):
                        call(turn)
                    ours.append((time.process_time() - began) / times * 1e6)
                    theirs.append((watched.spent().cpu - before.cpu) / times * 1e6)
                print(f"  {name:42} worker {middle(ours)} µs   redis {middle(theirs)} µs")


# What a request costs


def served(name: str, kind: str, settings: dict[str, str], options: argparse.Namespace) -> None:
    """CPU of a worker and of redis for each request and each chunk, and for each second in which nothing is asked."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [sys.executable, provider.__file__, "100", "0.05"]
        mock = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(mock.kill)
        assert mock.stdout is not None
        url, watched = stack.enter_context(homes(kind)) if kind != "embedded" else ("", None)
        environment = {
            "GLM_ENDPOINT": f"http://127.0.0.1:{mock.stdout.readline().strip()}/api/paas/v4/chat/completions",
            "GLM_API_KEY": "id.secret",
            "GATEWAY_API_KEYS": f"bench:{KEY}",
            "GATEWAY__RATE_LIMITS__REQUESTS_PER_MINUTE": str(MANY),
            "LOG_FILE": str(directory / "gateway.log"),
            "WORKERS": "1",
            **settings,
            **({"REDIS_URL": url} if url else {}),
        }
        gateway = stack.enter_context(Gateway(directory, **environment))
        print(f"  {name}")
        asyncio.run(many(gateway.port, 16, 20))
        each(gateway, watched, options)


def each(gateway: Gateway, watched: Watched | None, options: argparse.Namespace) -> None:
    """Print the figures of one gateway."""
    asked, chunks, idle = [], [], []
    redis_asked, redis_idle, redis_memory, trips = [], [], [], []
    count = options.requests // 16 * 16
    for _ in range(options.repeat):
        before = watched.spent() if watched else Spent()
        with cpu_of(gateway) as used:
            asyncio.run(many(gateway.port, 16, count // 16))
        after = watched.spent() if watched else before
        asked.append(used[0] / count * 1000)
        redis_asked.append((after.cpu - before.cpu) / count * 1e6)
        trips.append((after.trips - before.trips) / count)
        redis_memory.append((after.memory - before.memory) / count)
        with cpu_of(gateway) as used:
            heard = asyncio.run(streams(gateway.port, options.streams))
        chunks.append(used[0] / sum(number for _, number in heard) * 1e6)
        before = watched.spent() if watched else before
        with cpu_of(gateway) as used:
            time.sleep(options.rest)
        idle.append(used[0] / options.rest * 1000)
        after = watched.spent() if watched else before
        redis_idle.append((after.cpu - before.cpu) / options.rest * 1000)
    print(f"    a request       worker {middle(asked)} ms      redis {middle(redis_asked)} µs", end="")
    told = f"   {statistics.median(trips):.1f} trips, {statistics.median(redis_memory):.0f} bytes stay in redis"
    print(told if watched else "")
    print(f"    a chunk         worker {middle(chunks)} µs")
    print(f"    a second's rest worker {middle(idle)} ms      redis {middle(redis_idle)} ms")


def main() -> None:
    """Measure commands, then gateways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3000, help="calls of each command")
    parser.add_argument("--requests", type=int, default=1600)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--rest", type=float, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print("Each figure is the least of all repetitions, and their median in brackets.")
    print(f"yardstick: {middle([yardstick() for _ in range(20)])} µs")
    for kind in ("redis", "cluster"):
        print(f"\n{kind}: what a command costs")
        commands(kind, options.times, options.repeat)
    print("\none worker: what a request costs, of which a stream has 100 chunks")
    served("in the process", "embedded", {}, options)
    served("in the process, with limits and budgets", "embedded", LIMITS, options)
    served("on redis", "redis", {}, options)
    served("on redis, with limits and budgets", "redis", LIMITS, options)
    served("on a cluster of three, with limits and budgets", "cluster", LIMITS, options)
    print(f"yardstick: {middle([yardstick() for _ in range(20)])} µs")


if __name__ == "__main__":
    main()
