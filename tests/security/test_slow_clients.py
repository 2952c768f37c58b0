"""Clients that take their time hold no place for ever, with no nginx in front."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.upstreams.server import Upstream

BODY = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
PATIENCE = 30.0
PAUSE = 0.1
"""Seconds between two bytes of a client that trickles: never long enough for a silence to end it."""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with room for few, which waits a second for a head and for a body."""
    times = {"GATEWAY__SERVER__HEAD_TIMEOUT": "1", "GATEWAY__SERVER__BODY_TIMEOUT": "1"}
    room = {"GATEWAY__SERVER__WORKER_CONNECTIONS": "20"}
    with (
        Upstream() as upstream,
        Gateway(tmp_path_factory.mktemp("strict"), **environment(upstream, **times, **room)) as gateway,
    ):
        yield gateway


def trickle(gateway: Gateway, at_once: bytes, then: bytes = b"") -> tuple[bytes, float]:
    """What is answered to a client that sends byte after byte, and how long it was heard."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as client:
        client.sendall(at_once)
        ended = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(send_slowly, client, then, ended)
            answer = read(client)
            ended.set()
    return answer, time.monotonic() - began


def send_slowly(client: socket.socket, data: bytes, ended: threading.Event) -> None:
    for byte in data:
        if ended.wait(PAUSE):
            return
        try:
            client.sendall(bytes([byte]))
        except OSError:
            return


def read(client: socket.socket) -> bytes:
    """Everything until the gateway closes."""
    data = b""
    try:
        while block := client.recv(65_536):
            data += block
    except ConnectionResetError:
        pass
    return data


def test_a_head_that_trickles_is_refused(strict: Gateway) -> None:
    answer, seconds = trickle(strict, HEAD + b"X-Slow: ", b"a" * 1000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    error = json.loads(answer.split(b"\r\n\r\n")[1])
    assert error["error"]["code"] == "request_timeout"
    assert seconds < PATIENCE / 2


def test_a_body_that_trickles_is_refused(strict: Gateway) -> None:
    answer, seconds = trickle(strict, HEAD + b"Connection: close\r\nContent-Length: 5000\r\n\r\n", b" " * 5000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer
    assert seconds < PATIENCE / 2


def test_a_body_in_chunks_that_trickles_is_refused(strict: Gateway) -> None:
    head = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer, seconds = trickle(strict, head, b"1\r\n \r\n" * 800)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert seconds < PATIENCE / 2


def test_a_body_that_nobody_reads_holds_its_place_no_longer(strict: Gateway) -> None:
    head = b"GET /v1/health/live HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5000\r\n\r\n"
    answer, seconds = trickle(strict, head, b" " * 5000)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert seconds < PATIENCE / 2


def test_a_connection_without_a_request_is_closed(strict: Gateway) -> None:
    answer, seconds = trickle(strict, b"")
    assert answer == b""
    assert seconds < PATIENCE / 2


def test_many_slow_clients_keep_nobody_out_for_long(strict: Gateway) -> None:
    slow = [socket.create_connection(("127.0.0.1", strict.port), PATIENCE) for _ in range(60)]
    try:
        for client in slow:
            client.sendall(HEAD)
        # More than there is room for: those that wait outside come in as the first are refused.
        assert strict.get("/v1/health/live").status_code == 200
        assert strict.chat().status_code == 200
    finally:
        for client in slow:
            client.close()


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", b"414", "uri_too_long", id="line"),
        pytest.param(
            b"GET / HTTP/1.1\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", b"431", "headers_too_large", id="one header"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %b\r\n" % (i, b"a" * 9000) for i in range(12)),
            b"431",
            "headers_too_large",
            id="all headers",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(200)) + b"\r\n",
            b"431",
            "headers_too_large",
            id="number of headers",
        ),
        pytest.param(b"nonsense\r\n\r\n", b"400", "bad_request", id="no request"),
    ],
)
def test_a_head_that_is_too_large_or_none_is_refused_in_json(
    strict: Gateway, head: bytes, status: bytes, code: str
) -> None:
    with socket.create_connection(("127.0.0.1", strict.port), PATIENCE) as client:
        client.sendall(head)
        answer = read(client)
    assert answer.startswith(b"HTTP/1.1 " + status)
    told, body = answer.split(b"\r\n\r\n")
    assert b"Server: glm-gateway" in told
    document = json.loads(body)
    assert document["error"]["code"] == code
    assert document.keys() == {"error", "request_id", "timestamp"}


def test_a_large_body_that_is_refused_does_not_spoil_the_next_request(strict: Gateway) -> None:
    """It is more than a head may have: what is left of a body is no head."""
    body = b"x" * 300_000
    first = b"DELETE /v1/nothing HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(body)
    second = b"GET /v1/health/live HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), PATIENCE) as client:
        client.sendall(first + body + second)
        answers = read(client)
    assert answers.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 404 " in answers
    assert b"alive" in answers


def test_none_of_them_is_left(strict: Gateway) -> None:
    import psutil

    (worker,) = strict.workers()

    def clients() -> int:
        connections = psutil.Process(worker).net_connections("tcp")
        return sum(one.status == "ESTABLISHED" and one.laddr.port == strict.port for one in connections)

    assert eventually(lambda: clients() == 0)
