"""The shipped nginx.conf, run by a real nginx in front of scripted upstreams."""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.certificates import own_certificate
from tests.nginx_server import CONFIG, PATIENCE, Nginx, nginx_program, render
from tests.upstreams.server import Upstream
from tests.upstreams.steps import JSON, Drop, End, Events, Head, Hold, whole

MEGABYTE = 1 << 20


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def nginx(tmp_path: Path, upstream: Upstream) -> Iterator[Nginx]:
    with Nginx(tmp_path, upstream.port) as nginx:
        yield nginx


def test_an_event_reaches_the_client_while_the_rest_is_held_back(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(Head(), Events([b"data: 1\n\n"]), Hold(), Events([b"data: 2\n\n"]), End())
    with nginx.ask("/v1/chat/completions", json={}, stream=True, headers={"Accept-Encoding": "gzip"}) as response:
        pieces = response.iter_content(None)
        assert next(pieces) == b"data: 1\n\n"
        assert upstream.wait_held()
        upstream.release()
        assert b"".join(pieces) == b"data: 2\n\n"
    assert "Content-Encoding" not in response.headers


def test_a_client_that_hangs_up_ends_the_request_upstream(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(Head(), Events([b"data: 1\n\n"]), Hold(), End())
    with nginx.ask("/v1/chat/completions", json={}, stream=True) as response:
        next(response.iter_content(None))
    assert upstream.requests[0].disconnected.wait(PATIENCE)


def test_a_body_of_5_mb_passes_whole(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(*whole(b"{}"))
    body = os.urandom(5 * MEGABYTE)
    assert nginx.ask("/v1/chat/completions", data=body).ok
    assert upstream.requests[0].raw_body == body


def test_a_body_of_51_mb_is_refused_in_json(nginx: Nginx, upstream: Upstream) -> None:
    length = {"Content-Length": str(51 * MEGABYTE)}
    status, body = nginx.ask_raw("POST", "/v1/chat/completions", length)
    assert status == 413
    assert b'"code":"request_too_large"' in body
    assert upstream.requests == []


CLOSED = (
    "/metrics",
    "/v1/metrics",
    "/v1/tokens",
    "/v1/tokens/stats",
    "/v1/tokens/abc/reset",
    "/v1/keys",
    "/v1/config",
    "/v1/config/reload",
    "/v1/failover/glm-4.6",
    "/v1/tokens?x=1",
    "/v1/%74okens",
    "/v1/tokens%2Fstats",
    "//v1//tokens",
    "/v1/health/../tokens",
    "/v1/health%2f..%2ftokens",
    "/./metrics/",
    "http://gateway/v1/tokens",
)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("target", CLOSED)
def test_what_is_for_the_inside_is_closed(nginx: Nginx, upstream: Upstream, method: str, target: str) -> None:
    status, body = nginx.ask_raw(method, target, {"Content-Length": "0"})
    assert status == 403
    assert b'"type":"permission_error"' in body
    assert upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/tokenizers", "/v1/models/metrics", "/v1/health", "/metrics2"])
def test_everything_else_is_passed_on(nginx: Nginx, upstream: Upstream, path: str) -> None:
    upstream.script(*whole(b"{}"))
    assert nginx.ask(path).status_code == 200
    assert upstream.requests[0].path == path


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /v1/models%00 HTTP/1.1\r\nHost: x", 400, "bad_request"),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nA : b", 400, "bad_request"),
        (b"GET /v1/models HTTP/1.1", 400, "bad_request"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x", 400, "bad_request"),
        (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000, 400, "bad_request"),
        (b"TRACE /v1/models HTTP/1.1\r\nHost: x", 405, "method_not_allowed"),
        (b"POST /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked", 501, "bad_request"),
    ],
)
def test_what_nginx_does_not_take_is_refused_in_json(
    nginx: Nginx, upstream: Upstream, head: bytes, status: int, code: str
) -> None:
    with socket.create_connection(("127.0.0.1", nginx.port), PATIENCE) as client:
        client.sendall(head + b"\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        document = json.loads(response.read())
    assert (response.status, document["error"]["code"]) == (status, code)
    assert response.headers["X-Request-ID"] == document["request_id"] != ""
    assert response.headers["Content-Type"] == "application/json"
    assert not upstream.requests


def test_the_client_address_stands_last_after_what_the_client_claims(nginx: Nginx, upstream: Upstream) -> None:
    nginx.ask("/v1/models", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    headers = upstream.requests[0].headers
    assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"


def test_connections_to_the_gateway_are_kept(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(*whole(b"{}"), times=None)
    for _ in range(3):
        nginx.ask("/v1/chat/completions", json={})
    assert upstream.wait_closed()
    assert upstream.accepted_connections < 3
    assert all("connection" not in request.headers for request in upstream.requests)


def test_a_post_that_was_sent_is_never_sent_again(tmp_path: Path) -> None:
    with Upstream() as one, Upstream() as other, Nginx(tmp_path, one.port, other.port) as nginx:
        for upstream in (one, other):
            upstream.script(Drop(), times=None)
        response = nginx.ask("/v1/chat/completions", json={})
        assert (response.status_code, len(one.requests) + len(other.requests)) == (502, 1)


def test_a_replica_that_is_down_costs_the_client_nothing(tmp_path: Path) -> None:
    with Upstream() as gone, Upstream() as there:
        gone.close()
        there.script(*whole(b"{}"), times=None)
        with Nginx(tmp_path, gone.port, there.port) as nginx:
            assert [nginx.ask("/v1/chat/completions", json={}).status_code for _ in range(4)] == [200] * 4


def test_replicas_that_a_deployment_has_stopped_cost_no_client_anything(tmp_path: Path) -> None:
    with ExitStack() as stack:
        gone = [stack.enter_context(Upstream()) for _ in range(3)]
        there = stack.enter_context(Upstream())
        for upstream in gone:
            upstream.close()
        there.script(*whole(b"{}"), times=None)
        # Nothing is known of any of them yet, as of old ones whose time to be tried again has come at the same moment.
        nginx = stack.enter_context(Nginx(tmp_path, *(upstream.port for upstream in gone), there.port))
        assert [nginx.ask("/v1/chat/completions", json={}).status_code for _ in range(4)] == [200] * 4
        assert len(there.requests) == 4


def test_a_gateway_that_is_down_is_a_502_in_json_with_the_request_id(nginx: Nginx, upstream: Upstream) -> None:
    upstream.close()
    response = nginx.ask("/v1/chat/completions", json={}, headers={"X-Request-ID": "trace-1:a/b"})
    assert response.status_code == 502
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"] == "trace-1:a/b"
    document = response.json()
    assert document.keys() == {"error", "request_id", "timestamp"}
    assert document["error"].keys() == {"message", "type", "param", "code", "details"}
    assert document["error"]["type"] == "server_error"
    assert document["request_id"] == "trace-1:a/b"


def test_the_gateways_own_errors_pass_untouched(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(*whole(b'{"error":{}}', 503, {**JSON, "Retry-After": "7", "X-Request-ID": "of the gateway"}))
    response = nginx.ask("/v1/chat/completions", json={})
    assert (response.status_code, response.content) == (503, b'{"error":{}}')
    assert response.headers["Retry-After"] == "7"


def test_an_unusable_request_id_is_replaced_everywhere(nginx: Nginx, upstream: Upstream) -> None:
    response = nginx.ask("/v1/models", headers={"X-Request-ID": 'a"b'})
    (chosen,) = {response.headers["X-Request-ID"], upstream.requests[0].headers["x-request-id"]}
    assert len(chosen) == 32
    assert nginx.ask("/v1/tokens", headers={"X-Request-ID": 'a"b'}).json()["request_id"] != 'a"b'


def test_answers_carry_security_headers_once_without_the_version(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(*whole(b"{}", headers={**JSON, "X-Content-Type-Options": "nosniff"}))
    for response in (nginx.ask("/v1/models"), nginx.ask("/v1/tokens")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Server"] == "nginx"


def test_the_lines_for_tls_are_right_as_they_are_shipped(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script(Head(), Events([b"data: 1\n\n"]), Hold(), Events([b"data: 2\n\n"]), End())
    certificate = own_certificate(tmp_path)
    with Nginx(tmp_path, upstream.port, certificate=certificate) as nginx:
        address, own = f"{nginx.secure_url}/v1/chat/completions", str(certificate[0])
        with requests.post(address, json={}, stream=True, verify=own, timeout=PATIENCE) as response:
            pieces = response.iter_content(None)
            assert next(pieces) == b"data: 1\n\n"
            upstream.release()
            assert b"".join(pieces) == b"data: 2\n\n"
        assert upstream.requests[0].headers["x-forwarded-proto"] == "https"
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        closed = requests.get(f"{nginx.secure_url}/v1/tokens", verify=own, timeout=PATIENCE)
        assert closed.status_code == 403
        led = nginx.ask("/v1/models?a=b", allow_redirects=False)
        assert (led.status_code, led.headers["Location"]) == (308, "https://127.0.0.1/v1/models?a=b")
        assert len(upstream.requests) == 1, "nothing goes on that came without TLS"


def test_without_the_file_that_says_how_to_listen_nginx_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(render(CONFIG.read_text(), tmp_path, 1, [9]))
    command = [nginx_program(), "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    told = subprocess.run(command, text=True, capture_output=True, check=False)
    assert told.returncode != 0
    assert "tls/tls.conf" in told.stderr


def test_the_log_names_path_and_id_but_no_query(nginx: Nginx, upstream: Upstream) -> None:
    upstream.script(*whole(b"{}"))
    nginx.ask("/v1/models?key=sk-hidden", headers={"X-Request-ID": "trace-2"})
    nginx.stop()  # the last lines are written by then
    assert '"request_id":"trace-2"' in nginx.log
    assert '"path":"/v1/models"' in nginx.log
    assert "sk-hidden" not in nginx.log
