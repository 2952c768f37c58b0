"""What many requests leave behind, and what many open streams take."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from schemas.codec import dumps
from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.integration.listening_kit import held
from tests.performance.load import KEY, QUICK, SLOW, Crowd, mixed
from tests.performance.provider import provider
from tests.performance.soak import leaked, settled
from tests.performance.vitals import MEGABYTE, memory_of, watched
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream

REPLICA_BYTES = 512 * MEGABYTE
"""What docker-compose.prod.yml gives to a replica."""


def test_mixed_requests_with_aborts_leave_nothing_behind(tmp_path: Path) -> None:
    with provider(chunks=10, pause=0.01) as settings:
        settings["GATEWAY_API_KEYS"] += ",admin:admin-key:admin"
        with watched(tmp_path, **settings) as gateway:
            mixed(gateway.port, 300)
            before = settled(gateway)
            mixed(gateway.port, 2000)
            after = settled(gateway, before)
    assert not leaked(before, after), f"{before}, then {after}"
    assert after.memory < before.memory + 12 * MEGABYTE, f"{before}, then {after}"


def count_everywhere(gateway: Gateway) -> None:
    """Ask so often for a count of tokens that every worker has had to load what it counts with."""
    body = {"model": SLOW, "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(40):
        answer = gateway.post("/v1/messages/count_tokens", body, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.json()["input_tokens"] > 0


def test_a_thousand_open_streams_on_four_workers_fit_into_a_replica(tmp_path: Path) -> None:
    async def crowded(gateway: Gateway) -> int:
        async with Crowd(gateway.port, 1000):
            return memory_of(gateway)

    with (
        RedisServer(tmp_path) as redis,
        provider(chunks=1000, pause=5) as settings,
        Gateway(tmp_path, REDIS_URL=redis.url, **settings) as gateway,
    ):
        assert len(gateway.workers()) == 4
        count_everywhere(gateway)
        empty = memory_of(gateway)
        crowd = asyncio.run(crowded(gateway))
    print(f"{empty / MEGABYTE:.0f} MB without streams, {crowd / MEGABYTE:.0f} MB with 1,000")
    assert crowd < REPLICA_BYTES


@contextmanager
def highest(pid: int) -> Iterator[list[int]]:
    """The most memory that a process has held meanwhile, as its only entry."""
    seen, over, process = [0], threading.Event(), psutil.Process(pid)

    def look() -> None:
        while not over.wait(0.01):
            seen[0] = max(seen[0], process.memory_info().rss)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(look)
        try:
            yield seen
        finally:
            over.set()


def test_large_bodies_at_the_same_time_fit_into_a_replica_and_their_memory_comes_back(tmp_path: Path) -> None:
    room = {"GATEWAY__SERVER__BODY_MEMORY": str(REPLICA_BYTES // 4), "GATEWAY__SERVER__BODY_WAIT": "1"}
    text = "0123456789" * (3 * MEGABYTE)
    body = dumps({"model": "glm-4.6", "stream": True, "messages": [{"role": "user", "content": text}]})
    with Upstream() as upstream, Gateway(tmp_path, **environment(upstream, **room)) as gateway:
        (worker,) = gateway.workers()
        gateway.chat()
        upstream.script(*held(), times=None)
        idle = psutil.Process(worker).memory_info().rss

        def send() -> requests.Response:
            address = f"{gateway.url}/v1/chat/completions"
            return requests.post(address, body, headers={"Content-Type": "application/json"}, timeout=120)

        # Five are answered at most: what is kept of them fills the room by then.
        with ThreadPoolExecutor(6) as pool, highest(worker) as peak:
            answers = [pool.submit(send) for _ in range(6)]
            assert eventually(lambda: any(answer.done() for answer in answers)), "one is refused as there is no room"
            upstream.release(6)
            told = [answer.result() for answer in answers]
        assert {answer.status_code for answer in told} == {200, 503}
        assert all("Retry-After" in answer.headers for answer in told if answer.status_code == 503)
        assert peak[0] < REPLICA_BYTES
        assert eventually(lambda: psutil.Process(worker).memory_info().rss < idle + 16 * MEGABYTE)
    print(f"{idle / MEGABYTE:.0f} MB without bodies, {peak[0] / MEGABYTE:.0f} MB at most with six of 30 MB")


@contextmanager
def most_of(gateway: Gateway) -> Iterator[list[int]]:
    """The most memory that all processes of a gateway have held meanwhile, as its only entry."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            seen[0] = max(seen[0], memory_of(gateway))

    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(look)
        try:
            yield seen
        finally:
            over.set()
            watched.result()


@pytest.mark.parametrize(
    ("workers", "text"),
    [(4, "0123456789" * 4_900_000), (1, "0123456789" * 2_200_000 + "🙂")],
    ids=["four workers", "a character of four bytes"],
)
def test_whole_answers_to_the_largest_prompts_fit_into_a_replica(tmp_path: Path, workers: int, text: str) -> None:
    room = {"GATEWAY__SERVER__BODY_MEMORY": str(REPLICA_BYTES // 4 // workers), "GATEWAY__SERVER__BODY_WAIT": "60"}
    body = dumps({"model": QUICK, "messages": [{"role": "user", "content": text}]})
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    with (
        RedisServer(tmp_path) as redis,
        provider(chunks=1, pause=0) as settings,
        Gateway(tmp_path, REDIS_URL=redis.url, WORKERS=str(workers), **room, **settings) as gateway,
    ):

        def send() -> int:
            address = f"{gateway.url}/v1/chat/completions"
            return requests.post(address, body, headers=headers, timeout=120).status_code

        count_everywhere(gateway)
        idle = memory_of(gateway)
        with ThreadPoolExecutor(4) as pool, most_of(gateway) as peak:
            told = [answer.result() for answer in [pool.submit(send) for _ in range(4)]]
    print(
        f"{idle / MEGABYTE:.0f} MB without bodies, {peak[0] / MEGABYTE:.0f} MB at most with four of {len(body)} bytes"
    )
    assert told == [200] * 4
    assert peak[0] < REPLICA_BYTES
