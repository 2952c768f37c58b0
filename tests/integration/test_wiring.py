"""What the composition root joins together, each joint shown from outside."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.upstreams.answers import USAGE, event, glm_error, glm_stream, models_body
from tests.upstreams.server import PATIENCE, Upstream
from tests.upstreams.steps import End, Events, Head, Hold, stream, whole
from tests.upstreams.wire import Request


def is_probe(request: Request) -> bool:
    """True for the free question by which a key is checked."""
    return request.method == "GET" and request.path == "/api/paas/v4/models"


def glm_check(gateway: Gateway) -> tuple[str, dict[str, Any]]:
    """Status and figures of the providers' check."""
    check = gateway.get("/v1/health").json()["checks"]["glm"]
    return check["status"], check["figures"]


def test_health_tells_by_traffic_whether_the_provider_is_reached(tmp_path: Path) -> None:
    with Upstream() as upstream, Gateway(tmp_path, **environment(upstream)) as gateway:
        assert glm_check(gateway) == ("healthy", {"glm": "no traffic yet"})
        assert gateway.chat().status_code == 200
        assert eventually(lambda: glm_check(gateway) == ("healthy", {"glm": "reachable"}))
        upstream.close()
        assert gateway.chat().status_code == 502
        assert eventually(lambda: glm_check(gateway) == ("unhealthy", {"glm": "unreachable"}))
        with Upstream(port=upstream.port):
            assert gateway.chat().status_code == 200
            assert eventually(lambda: glm_check(gateway) == ("healthy", {"glm": "reachable"}))


def test_the_request_id_is_a_header_at_the_provider_and_new_for_every_try(
    embedded: Gateway, upstream: Upstream
) -> None:
    upstream.script(glm_error("1234", 500))
    assert embedded.chat(headers={"X-Request-ID": "trace-me-2"}).status_code == 200
    ids = [request.headers["x-request-id"] for request in upstream.requests]
    assert [one.startswith("trace-me-2-") for one in ids] == [True, True]
    assert ids[0] != ids[1]


def counted(gateway: Gateway, name: str, **labels: str) -> float:
    """A metric's value, 0 while there is none."""
    wanted = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    found = re.search(rf"^{name}\{{{wanted}\}} (\S+)$", gateway.get("/v1/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("streamed", [False, True])
def test_tokens_and_money_of_an_answer_are_counted(upstream: Upstream, tmp_path: Path, streamed: bool) -> None:
    model = {"provider": "glm", "model": "glm-4.6"}
    fresh, cached, output = 5, 4, 12
    assert (USAGE["prompt_tokens"], USAGE["completion_tokens"]) == (fresh + cached, output)
    dollars = (fresh * 0.60 + cached * 0.11 + output * 2.20) / 1_000_000
    with Gateway(tmp_path, **environment(upstream)) as gateway:
        for _ in range(2):
            assert gateway.chat(model="glm-4.6", stream=streamed).content
        # An answer is counted when it has been sent.
        assert eventually(lambda: counted(gateway, "glm_tokens_total", **model, kind="output") == 2 * output)
        assert counted(gateway, "glm_tokens_total", **model, kind="input") == 2 * fresh
        assert counted(gateway, "glm_tokens_total", **model, kind="cached") == 2 * cached
        assert counted(gateway, "glm_cost_usd_total", **model) == pytest.approx(2 * dollars)
        assert counted(gateway, "glm_upstream_requests_total", **model, outcome="success") == 2


def log_of_one_chat(gateway: Gateway, upstream: Upstream) -> list[dict[str, Any]]:
    """The events that tell of what was said, once a chat is over."""
    upstream.script(stream(glm_stream("the-answer", reasoning="the-thought")))
    gateway.chat("the-question", headers={"X-Request-ID": "said"})
    gateway.wait_event("request", request_id="said")
    gateway.stop()
    return gateway.events("chat")


def test_what_was_said_is_not_in_the_log(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **environment(upstream, LOG_LEVEL="DEBUG")) as gateway:
        assert log_of_one_chat(gateway, upstream) == []
        assert [word for word in ("question", "answer", "thought") if f"the-{word}" in gateway.output] == []


def test_what_was_said_is_in_the_log_when_that_is_asked_for(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **environment(upstream, GATEWAY__LOGGING__PROMPTS="true")) as gateway:
        (told,) = log_of_one_chat(gateway, upstream)
    assert told["request_id"] == "said"
    assert told["asked"] == [{"role": "user", "text": "the-question"}]
    assert "the-answer" in told["answered"]
    assert "the-thought" in told["answered"]


def test_the_prober_restores_a_degraded_key_without_traffic(upstream: Upstream, tmp_path: Path) -> None:
    settings = {
        "GATEWAY__TOKENS__HEALTH_CHECK_INTERVAL": "1",
        "GATEWAY__TOKENS__ERROR_THRESHOLD": "1",
        "GATEWAY__RETRY__MAX_ATTEMPTS": "1",
    }
    upstream.script([Hold("probe"), *whole(models_body())], when=is_probe)
    upstream.script(glm_error("1234", 500))
    with Gateway(tmp_path, **environment(upstream, **settings)) as gateway:

        def status() -> str:
            (token,) = gateway.get("/v1/tokens").json()["data"]
            return str(token["status"])

        assert status() == "available"
        assert gateway.chat().status_code == 502
        assert upstream.wait_held(gate="probe")
        assert status() == "degraded"
        upstream.release(gate="probe")
        assert eventually(lambda: status() == "available")
    assert [request.method for request in upstream.requests] == ["POST", "GET"], "one failure, one probe, no traffic"
    assert is_probe(upstream.requests[1])
    assert upstream.requests[1].bearer == "id.secret"


def test_a_client_that_takes_nothing_is_cut_off(upstream: Upstream, tmp_path: Path) -> None:
    """More is streamed than any buffers between could hold, so that somebody has to wait for the client."""
    big = event({"choices": [{"index": 0, "delta": {"content": "x" * 60_000}}]})
    upstream.script([Head(), Events([big] * 2000), End()])
    body = b'{"messages":[{"role":"user","content":"Hi"}],"stream":true}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
    settings = environment(upstream, GATEWAY__STREAM__WRITE_TIMEOUT="1")
    with Gateway(tmp_path, **settings) as gateway, socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(f"{head}Content-Type: application/json\r\nX-Request-ID: idle\r\n\r\n".encode() + body)
        assert upstream.wait_requests(1)
        assert upstream.requests[0].disconnected.wait(PATIENCE)
        assert gateway.wait_event("request", request_id="idle")["error"] == "client_closed_request"
