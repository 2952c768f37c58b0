"""Sends thousands of mixed requests, many of which are broken off, and prints what is left of them: `make soak`."""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.gateway import Gateway, eventually
from tests.performance.load import mixed
from tests.performance.provider import provider
from tests.performance.vitals import MEGABYTE, Vitals, vitals, watched
from tests.redis_server import RedisServer

CHUNKS, PAUSE = 20, 0.02
WARM_UP = 1000
SPARE = 8
"""Sockets and greenlets of a worker that may be more than before: pools keep as many connections to redis and providers
as were ever in use at once, and a chore may be at work."""


def settled(gateway: Gateway, before: Vitals | None = None) -> Vitals:
    """How the gateway is when all that was asked is over."""
    assert eventually(lambda: "glm_streams_in_flight 0.0" in metrics(gateway))
    if before is not None:
        eventually(lambda: not leaked(before, vitals(gateway)), 20)
    return vitals(gateway)


def metrics(gateway: Gateway) -> str:
    """The gateway's own figures."""
    return gateway.get("/metrics", headers={"Authorization": "Bearer admin-key"}).text


def leaked(before: Vitals, after: Vitals) -> bool:
    """True when sockets or greenlets are left that were not there before."""
    spare = SPARE * before.workers
    return after.sockets > before.sockets + spare or after.greenlets > before.greenlets + spare


def main() -> None:
    """Warm up, soak, and print the figures on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--redis", action="store_true", help="four workers on a real redis instead of one")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = stack.enter_context(provider(CHUNKS, PAUSE))
        settings["GATEWAY_API_KEYS"] += ",admin:admin-key:admin"
        if options.redis:
            settings["REDIS_URL"] = stack.enter_context(RedisServer(directory)).url
        gateway = stack.enter_context(watched(directory, **settings))
        mixed(gateway.port, WARM_UP)
        first = settled(gateway)
        print(f"after {WARM_UP:6} requests: {first}", flush=True)
        for step in range(1, options.steps + 1):
            began = time.monotonic()
            mixed(gateway.port, options.requests // options.steps)
            now = settled(gateway, first)
            count = WARM_UP + step * options.requests // options.steps
            print(f"after {count:6} requests: {now}  ({time.monotonic() - began:.0f} s)", flush=True)
        growth = (now.memory - first.memory) / options.requests
        print(f"{growth:.0f} bytes a request; {(now.memory - first.memory) / MEGABYTE:.1f} MB in all")
        if leaked(first, now):
            raise SystemExit("Sockets or greenlets are left.")


if __name__ == "__main__":
    main()
