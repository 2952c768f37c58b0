"""Prints what a start, a request and a streamed chunk cost, in CPU time of all worker processes: `make bench`."""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from tests.gateway import Gateway
from tests.performance import upstream as provider
from tests.redis_server import RedisServer

KEY = "bench-key"
PAUSE = 0.05
LIBRARIES = "import flask, gevent.monkey, gunicorn.app.base, pydantic, redis, requests"


def request(model: str, stream: bool) -> bytes:
    """A request of about 0.2 KB besides its headers."""
    body = {
        "model": model,
        "stream": stream,
        "temperature": 0.7,
        "messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Tell me. " * 10}],
    }
    data = json.dumps(body).encode()
    head = (
        f"POST /v2/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(data)}"
    )
    return head.encode() + b"\r\nContent-Type: application/json\r\n\r\n" + data


async def ask(port: int, data: bytes, times: int) -> list[float]:
    """Send the request again and again on one connection; the seconds each took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head[:20], head
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        took.append(time.perf_counter() - began)
    writer.close()
    return took


async def listen(port: int, data: bytes) -> tuple[float, int]:
    """Read one stream to its end; seconds to the first byte of the body, and the number of its content chunks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head[:20], head
    first, body = 0.0, b""
    chunks = 0
    while b"[DONE]" not in body[-64:]:
        data = await reader.read(65536)
        assert data, "the stream was cut"
        first = first or time.perf_counter() - began
        chunks += data.count(b'{"content"')
        body = body[-64:] + data
    writer.close()
    return first, chunks


@contextmanager
def cpu_of(gateway: Gateway) -> Iterator[list[float]]:
    """The CPU seconds that all workers use inside the block."""

    def total() -> float:
        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in gateway.workers())

    result: list[float] = []
    before = total()
    yield result
    result.append(total() - before)


async def many(port: int, connections: int, each: int) -> list[float]:
    """Requests on several connections at once."""
    data = request("glm-4.6", stream=False)
    return [t for times in await asyncio.gather(*(ask(port, data, each) for _ in range(connections))) for t in times]


async def streams(port: int, count: int) -> list[tuple[float, int]]:
    """Several streams at once."""
    data = request("glm-4.5", stream=True)
    return await asyncio.gather(*(listen(port, data) for _ in range(count)))


def main() -> None:
    """Measure requests, then streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--redis", action="store_true", help="on a real redis instead of in one process")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [sys.executable, provider.__file__, str(options.chunks), str(PAUSE)]
        mock = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(mock.kill)
        assert mock.stdout is not None
        settings = {
            "GLM_ENDPOINT": f"http://127.0.0.1:{mock.stdout.readline().strip()}/api/paas/v4/chat/completions",
            "GLM_API_KEY": "id.secret",
            "GATEWAY_API_KEYS": f"bench:{KEY}",
            "GATEWAY__RATE_LIMITS__REQUESTS_PER_MINUTE": "100000000",
            "LOG_FILE": str(directory / "gateway.log"),
            "WORKERS": str(options.workers),
        }
        if options.redis:
            settings["REDIS_URL"] = stack.enter_context(RedisServer(directory)).url
        began = time.perf_counter()
        gateway = stack.enter_context(Gateway(directory, **settings))
        report_start(gateway, time.perf_counter() - began)
        report(gateway, options)


def report_start(gateway: Gateway, seconds: float) -> None:
    """Print what the start took, beside what it takes to load the libraries alone."""
    assert gateway.process is not None
    times = [psutil.Process(pid).cpu_times() for pid in (gateway.process.pid, *gateway.workers())]
    script = f"{LIBRARIES}; import time; print(time.process_time())"
    loading = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    print(f"start:    {sum(one.user + one.system for one in times):.2f} s CPU", end="")
    print(f"  (ready after {seconds:.2f} s; its libraries alone {float(loading.stdout):.2f} s CPU)")


def report(gateway: Gateway, options: argparse.Namespace) -> None:
    """Print the figures of requests and streams."""
    asyncio.run(many(gateway.port, options.connections, 20))
    with cpu_of(gateway) as used:
        took = sorted(asyncio.run(many(gateway.port, options.connections, options.requests // options.connections)))
    print(f"requests: {used[0] / len(took) * 1000:.2f} ms CPU each", end="")
    print(f"  ({len(took)} on {options.connections} connections, median {took[len(took) // 2] * 1000:.1f} ms,", end="")
    print(f" p99 {took[int(len(took) * 0.99)] * 1000:.1f} ms)")
    with cpu_of(gateway) as used:
        began = time.perf_counter()
        heard = asyncio.run(streams(gateway.port, options.streams))
        seconds = time.perf_counter() - began
    chunks = sum(count for _, count in heard)
    first = sorted(delay for delay, _ in heard)
    print(f"streams:  {used[0] / chunks * 1e6:.0f} µs CPU a chunk", end="")
    print(f"  ({len(heard)} streams, {chunks} chunks, {chunks / seconds:.0f} a second,", end="")
    middle, late = first[len(first) // 2], first[int(len(first) * 0.99)]
    print(f" first chunk median {middle * 1000:.0f} ms, p99 {late * 1000:.0f} ms)")


if __name__ == "__main__":
    main()
