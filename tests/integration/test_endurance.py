"""What many requests leave behind, and what many open streams take."""

import asyncio
from pathlib import Path

from tests.gateway import Gateway
from tests.performance.load import Crowd, mixed
from tests.performance.provider import provider
from tests.performance.soak import leaked, settled
from tests.performance.vitals import MEGABYTE, memory_of, watched
from tests.redis_server import RedisServer

REPLICA_BYTES = 512 * MEGABYTE
"""What docker-compose.prod.yml gives to a replica."""


def test_mixed_requests_with_aborts_leave_nothing_behind(tmp_path: Path) -> None:
    with provider(chunks=10, pause=0.01) as settings:
        settings["GATEWAY_API_KEYS"] += ",admin:admin-key:admin"
        with watched(tmp_path, **settings) as gateway:
            mixed(gateway.port, 300)
            before = settled(gateway)
            mixed(gateway.port, 800)
            after = settled(gateway, before)
    assert not leaked(before, after), f"{before}, then {after}"
    assert after.memory < before.memory + 12 * MEGABYTE, f"{before}, then {after}"


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
        empty = memory_of(gateway)
        crowd = asyncio.run(crowded(gateway))
    print(f"{empty / MEGABYTE:.0f} MB without streams, {crowd / MEGABYTE:.0f} MB with 1,000")
    assert crowd < REPLICA_BYTES
