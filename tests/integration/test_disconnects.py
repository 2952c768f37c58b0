"""A client that goes away takes its upstream connection with it, and leaves nothing behind."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway import Gateway, eventually
from tests.upstreams.answers import glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import AwaitClose, Events, Head

FIRST = glm_stream("the first words", reasoning="and thoughts")[:3]
SOON = 1.0
"""Seconds within which the provider's connection must be closed."""


def ask(gateway: Gateway, *, stream: bool) -> socket.socket:
    """A request on a bare socket, sent and not read."""
    body = json.dumps({"stream": stream, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", gateway.port), 10)
    connection.sendall(head.encode() + body)
    return connection


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("begun", ["before the headers", "before the first token", "after the first token"])
def test_the_upstream_is_closed_when_the_client_leaves(
    gateway: Gateway, upstream: Upstream, stream: bool, begun: str
) -> None:
    steps = {
        "before the headers": [AwaitClose()],
        "before the first token": [Head(), AwaitClose()],
        "after the first token": [Head(), Events(FIRST), AwaitClose()],
    }
    upstream.script(steps[begun])
    connection = ask(gateway, stream=stream)
    assert upstream.wait_requests(1)
    if begun == "after the first token" and stream:
        connection.recv(1)
    left_at = time.monotonic()
    connection.close()
    request = upstream.requests[0]
    assert request.disconnected.wait(10)
    assert request.disconnected_at is not None
    assert request.disconnected_at - left_at < SOON


def test_nothing_leaks_after_five_hundred_aborts(embedded: Gateway, upstream: Upstream) -> None:
    def provider(request: object) -> list[object]:
        kinds = ([AwaitClose()], [Head(), AwaitClose()], [Head(), Events(FIRST), AwaitClose()])
        return list(kinds[len(upstream.requests) % 3])

    embedded.chat()
    before = vitals(embedded)
    upstream.reset()
    upstream.behave(provider)

    for batch in range(25):
        connections = [ask(embedded, stream=number % 2 == 0) for number in range(20)]
        assert upstream.wait_requests(20 * (batch + 1))
        for connection in connections:
            connection.close()
        assert upstream.wait_closed()
    upstream.reset()
    assert embedded.chat().status_code == 200
    assert eventually(lambda: embedded.get("/v1/tokens").json()["data"][0]["in_use"] == 0)
    assert eventually(lambda: "glm_streams_in_flight 0.0" in embedded.get("/v1/metrics").text)
    after = vitals(embedded)
    assert after["sockets"] <= before["sockets"] + 2
    assert after["memory"] <= before["memory"] + 16 * 1024 * 1024


def vitals(gateway: Gateway) -> dict[str, int]:
    """Open sockets and resident bytes of the only worker."""
    import psutil

    (pid,) = gateway.workers()
    worker = psutil.Process(pid)
    return {"sockets": len(worker.net_connections()), "memory": worker.memory_info().rss}


def test_ten_streams_at_once_survive_the_death_of_an_eleventh(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script([Head(), AwaitClose()])
    doomed = ask(gateway, stream=True)
    assert upstream.wait_requests(1)
    with ThreadPoolExecutor(10) as pool:
        streams = [pool.submit(gateway.chat, stream=True) for _ in range(10)]
        doomed.close()
        texts = [b"".join(stream.result().iter_content(None)) for stream in streams]
    assert all(text.endswith(b"data: [DONE]\n\n") for text in texts)
