"""How providers are spoken to, and what a failure to do so means."""

import json
import os
import resource
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.exceptions import LocationParseError, ProtocolError

from core.breaker import outage
from core.cancel import Cancellation
from core.credentials.policy import NOTHING, rule_for
from core.errors import (
    GatewayError,
    InvalidRequest,
    Overloaded,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from core.providers.base import UpstreamRequest
from core.transport import Transport, translate
from tests.fakes import FakeClock
from tests.upstreams.server import PATIENCE, Upstream
from tests.upstreams.steps import AwaitClose, Drop, Head, Raw, Send, html_page, stream, whole

ROOT = Path(__file__).resolve().parents[3]
EVENTS = [b"data: one\n\n", b"data: [DONE]\n\n"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(FakeClock())
    yield transport
    transport.close()


def call(transport: Transport, url: str, **fields: Any) -> tuple[int, dict[str, str], bytes]:
    return transport.call(UpstreamRequest(url, **{"headers": {}, **fields}), 1e6, Cancellation())


# What is sent


def test_a_request_goes_out_as_it_was_built(upstream: Upstream, transport: Transport) -> None:
    upstream.script(whole(b"ok"))
    headers = {"Authorization": "Bearer k.s", "Content-Type": "application/json", "X-Request-ID": "r-1"}
    call(transport, upstream.url + "/chat?a=b%20c", headers=headers, body=b'{"a":"\xe4\xb8\x96"}')
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/chat?a=b%20c")
    assert request.raw_body == b'{"a":"\xe4\xb8\x96"}'
    sent = {"authorization": "Bearer k.s", "content-type": "application/json", "x-request-id": "r-1"}
    assert sent.items() <= request.headers.items()
    assert request.headers["content-length"] == str(len(request.raw_body))
    assert request.headers["accept-encoding"] == "identity", "packed streams arrive in lumps"
    assert request.headers["host"] == f"127.0.0.1:{upstream.port}"


def test_a_request_without_a_body_is_sent_without_one(upstream: Upstream, transport: Transport) -> None:
    upstream.script(whole(b"ok"))
    call(transport, upstream.url + "/models", method="GET")
    (request,) = upstream.requests
    assert (request.method, request.raw_body) == ("GET", b"")
    assert "content-length" not in request.headers


def test_a_provider_cannot_set_cookies_or_send_elsewhere(upstream: Upstream, transport: Transport) -> None:
    upstream.script(whole(b"", 302, {"Location": upstream.url + "/trap", "Set-Cookie": "a=b"}))
    upstream.script(whole(b"ok"))
    status, headers, _ = call(transport, upstream.url + "/chat", body=b"{}")
    assert (status, headers["location"]) == (302, upstream.url + "/trap")
    call(transport, upstream.url + "/chat", body=b"{}")
    assert [request.path for request in upstream.requests] == ["/chat", "/chat"]
    assert "cookie" not in upstream.requests[1].headers


def test_proxies_of_the_environment_are_not_used(
    upstream: Upstream, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    upstream.script(whole(b"ok"))
    assert call(transport, upstream.url + "/chat")[0] == 200


def test_a_redirect_or_an_error_is_an_answer_like_any_other(upstream: Upstream, transport: Transport) -> None:
    upstream.script(html_page(503))
    status, headers, body = call(transport, upstream.url + "/chat")
    assert status == 503
    assert headers["content-type"].startswith("text/html")
    assert b"Checking" in body


def test_calls_share_a_connection(upstream: Upstream, transport: Transport) -> None:
    for _ in range(3):
        upstream.script(whole(b"ok"))
        call(transport, upstream.url + "/chat", body=b"{}")
    assert upstream.accepted_connections == 1


def test_closing_closes_idle_connections(upstream: Upstream, transport: Transport) -> None:
    upstream.script(whole(b"ok"))
    call(transport, upstream.url + "/chat")
    assert upstream.open_connections == 1
    transport.close()
    assert upstream.wait_connections(at_most=0)


# Failures


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_port_where_nobody_listens_is_unreachable(transport: Transport) -> None:
    port = unused_port()
    with pytest.raises(UpstreamUnreachable, match=f"the provider at 127.0.0.1:{port} cannot be reached"):
        call(transport, f"http://127.0.0.1:{port}/chat")


def test_a_connection_that_closes_instead_of_answering_is_unreachable(upstream: Upstream, transport: Transport) -> None:
    for drop in (Drop(), Drop(reset=True)):
        upstream.script(drop)
        with pytest.raises(UpstreamUnreachable):
            call(transport, upstream.url + "/chat", body=b"{}")


def test_a_port_that_does_not_speak_http_is_no_provider(upstream: Upstream, transport: Transport) -> None:
    upstream.script(Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), Drop())
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1"):
        call(transport, upstream.url + "/chat", body=b"{}")


@pytest.mark.parametrize("url", ["http://[::1/chat", "http:///chat", "http://a:99999999/chat", "gopher://x/chat"])
def test_an_address_that_cannot_be_used_is_unreachable(transport: Transport, url: str) -> None:
    with pytest.raises(UpstreamUnreachable):
        call(transport, url)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing can be opened meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept: list[int] = []
    # The first that is free, and no more from there on.
    free = os.dup(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        with suppress(OSError):
            while True:
                kept.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in (free, *kept):
            os.close(one)


@pytest.mark.parametrize("host", ["127.0.0.1", "a-name-that-nobody-has.invalid"])
def test_no_provider_is_to_blame_when_we_lack_descriptors(transport: Transport, host: str) -> None:
    with no_descriptors(), pytest.raises(GatewayError) as told:
        call(transport, f"http://{host}:9/")
    assert (type(told.value), told.value.status, told.value.retry_after) == (Overloaded, 503, 1)
    assert rule_for(told.value) == NOTHING
    assert not outage(told.value)
    with pytest.raises(UpstreamUnreachable):
        call(transport, f"http://{host}:9/")


def test_a_password_in_an_address_is_not_told(transport: Transport) -> None:
    port = unused_port()
    with pytest.raises(UpstreamUnreachable) as raised:
        call(transport, f"http://user:hunter2@127.0.0.1:{port}/chat")
    assert "hunter2" not in raised.value.message
    assert f"127.0.0.1:{port}" in raised.value.message


def test_a_body_that_is_cut_off_is_broken(upstream: Upstream, transport: Transport) -> None:
    upstream.script(Head(), Send(EVENTS[0]), Drop())
    with pytest.raises(UpstreamBroken):
        call(transport, upstream.url + "/chat")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (requests.ConnectTimeout(), UpstreamUnreachable),
        (requests.ReadTimeout(), UpstreamTimeout),
        (requests.exceptions.SSLError(), UpstreamUnreachable),
        (requests.ConnectionError(), UpstreamUnreachable),
        (requests.exceptions.InvalidURL(), UpstreamUnreachable),
        (ProtocolError("x"), UpstreamBroken),
        (LocationParseError("x"), UpstreamBroken),
        (zlib.error(), UpstreamBroken),
        (ConnectionResetError(), UpstreamBroken),
        (UnicodeEncodeError("latin-1", "x", 0, 1, "x"), UpstreamUnreachable),
        (KeyError("x"), UpstreamBroken),
    ],
)
def test_each_failure_of_a_library_has_its_meaning(failure: Exception, expected: type[GatewayError]) -> None:
    error = translate(failure, "api.z.ai")
    assert type(error) is expected
    assert "api.z.ai" in error.message


def test_what_a_library_says_is_not_repeated_to_clients() -> None:
    assert "hunter2" not in translate(requests.ConnectionError("password hunter2"), "host").message


def test_an_error_of_our_own_stays_what_it_is() -> None:
    error = InvalidRequest("no")
    assert translate(error, "host") is error


# As the server's workers do it: with sockets that wait in greenlets


IN_A_WORKER = """
import gevent.monkey
gevent.monkey.patch_all()
import json, sys
import gevent
from core.breaker import outage
from core.cancel import Cancellation
from core.credentials.policy import NOTHING, rule_for
from core.clock import SystemClock
from core.errors import ClientGone, GatewayError
from core.exchange import Patience
from core.providers.base import UpstreamRequest
from core.transport import Transport

url, what = sys.argv[1:]
clock, cancel = SystemClock(), Cancellation()
transport = Transport(clock)
silence = 0.3 if what == "silence" else 1e6
patience = Patience(10, silence, 0.1, clock.monotonic() + 1e6)

def ask(told):
    exchange = transport.open(UpstreamRequest(url + "/chat", {}, b"{}"), patience, cancel)
    try:
        for _ in exchange.opening():
            told["signs"] += 1
            if what == "cancel":
                cancel.cancel(ClientGone("gone"))
        for block in exchange.blocks():
            told["body"] += block.decode()
            if what == "cancel" and block:
                gevent.get_hub().loop.run_callback(cancel.cancel, ClientGone("gone"))
    except GatewayError as error:
        told["error"] = error.code
    finally:
        exchange.close()

told = {"signs": 0, "body": "", "error": None}
for _ in range(3 if what == "read" else 1):
    ask(told)
gevent.idle()
print(json.dumps(told), flush=True)
sys.stdin.read()
"""


class Worker:
    """One process that asks the upstream with patched sockets; `told` is what came of it, and it stays alive."""

    def __init__(self, upstream: Upstream, what: str) -> None:
        command = [sys.executable, "-c", IN_A_WORKER, upstream.url, what]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        assert self.process.stdout is not None
        self.told = json.loads(self.process.stdout.readline())

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


def test_a_worker_reads_answers_over_one_connection(upstream: Upstream) -> None:
    upstream.script(stream(EVENTS), times=3)
    with Worker(upstream, "read") as worker:
        assert worker.told == {"signs": 0, "body": b"".join(EVENTS).decode() * 3, "error": None}
        assert upstream.accepted_connections == 1


def test_a_worker_that_waits_for_headers_can_be_cancelled_which_closes_the_connection(upstream: Upstream) -> None:
    upstream.script(AwaitClose())
    with Worker(upstream, "cancel") as worker:
        assert worker.told["error"] == "client_closed_request"
        assert upstream.requests[0].disconnected.wait(PATIENCE)


def test_a_worker_that_waits_for_a_body_can_be_cancelled_which_closes_the_connection(upstream: Upstream) -> None:
    upstream.script(Head(), Send(EVENTS[0]), AwaitClose())
    with Worker(upstream, "cancel") as worker:
        assert worker.told["error"] == "client_closed_request"
        assert worker.told["body"] == EVENTS[0].decode()
        assert upstream.requests[0].disconnected.wait(PATIENCE)


@pytest.mark.parametrize("steps", [[AwaitClose()], [Head(), Send(EVENTS[0]), AwaitClose()]], ids=["headers", "body"])
def test_a_worker_does_not_wait_for_a_silent_provider_for_ever(upstream: Upstream, steps: list[Any]) -> None:
    upstream.script(steps)
    with Worker(upstream, "silence") as worker:
        assert worker.told["error"] == "upstream_timeout"
        assert upstream.requests[0].disconnected.wait(PATIENCE)
