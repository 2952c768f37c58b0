"""What a client sees when the provider misbehaves."""

import json
import re
import time
from pathlib import Path

import jwt
import pytest

from tests.gateway import Gateway, chunks_of, data_of, eventually, text_of
from tests.integration.conftest import environment, rest
from tests.upstreams.answers import DONE, error_in_stream, event, glm_error, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import (
    JSON,
    AwaitClose,
    Drop,
    End,
    Events,
    Head,
    Hold,
    Pause,
    Raw,
    Send,
    empty,
    html_page,
    stream,
    without_last_chunk,
)

HALF = glm_stream("half of it")[:2]


@pytest.mark.parametrize(
    ("http", "code", "status", "kind", "name"),
    [
        (400, "1210", 400, "invalid_request_error", None),
        (400, "1211", 404, "invalid_request_error", "model_not_found"),
        (400, 1214, 400, "invalid_request_error", None),
        (400, "1261", 400, "invalid_request_error", "context_length_exceeded"),
        (400, "1301", 400, "invalid_request_error", "content_filter"),
        (429, "1302", 429, "rate_limit_error", "rate_limit_exceeded"),
        (429, "1305", 503, "service_unavailable_error", "overloaded"),
        (500, "1234", 502, "server_error", None),
    ],
)
@pytest.mark.parametrize("form", ["http", "in a 200", "in a stream"])
def test_business_codes_mean_the_same_wherever_they_stand(
    upstream: Upstream, fresh: Gateway, http: int, code: str | int, status: int, kind: str, name: str | None, form: str
) -> None:
    steps = {"http": glm_error(code, http), "in a 200": glm_error(code, 200), "in a stream": error_in_stream(code)}
    upstream.script(steps[form], times=None)
    for streamed in (False, True):
        response = fresh.chat(stream=streamed)
        assert response.status_code == status, response.text
        error = response.json()["error"]
        assert error["type"] == kind
        if name is not None:
            assert error["code"] == name
        assert response.json()["request_id"] == response.headers["X-Request-ID"]
        rest(fresh)


def test_our_own_bad_key_is_no_fault_of_the_callers(upstream: Upstream, fresh: Gateway) -> None:
    upstream.script(glm_error("1000", 401), times=None)
    response = fresh.chat()
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_unauthorized"
    assert response.headers["x-should-retry"] == "false"
    again = fresh.chat()
    assert again.status_code == 503
    assert again.json()["error"]["code"] == "no_credentials"
    assert len(upstream.requests) == 1, "a refused key is not sent again"


def test_no_money_is_not_retried_by_anyone(upstream: Upstream, fresh: Gateway) -> None:
    upstream.script(glm_error("1113", 429), times=None)
    response = fresh.chat()
    assert response.status_code == 429
    assert response.json()["error"]["type"] == "insufficient_quota"
    assert response.headers["x-should-retry"] == "false"


def test_a_key_that_cools_down_tells_when_it_is_back(upstream: Upstream, fresh: Gateway) -> None:
    upstream.script(glm_error("1302", 429), times=None)
    first = fresh.chat()
    second = fresh.chat()
    assert first.status_code == second.status_code == 429
    assert int(second.headers["Retry-After"]) >= 1
    assert second.json()["error"]["code"] == "credentials_exhausted"
    assert len(upstream.requests) == 1, "429 means wait, and is not hammered"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(glm_error("1234", 500), id="500"),
        pytest.param(empty(), id="silent 200"),
        pytest.param([Head(), Events([DONE]), Drop()], id="only [DONE]"),
        pytest.param([Head(), Drop(reset=True)], id="reset after the headers"),
        pytest.param([Drop()], id="closed without an answer"),
        pytest.param(stream([b"data: {broken\n\n"]), id="broken json"),
        pytest.param(stream(glm_stream("")), id="an answer without content"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_failure_before_the_first_content_is_tried_again(
    upstream: Upstream, gateway: Gateway, steps: list[object], streamed: bool
) -> None:
    upstream.script(steps)
    upstream.script(stream(glm_stream("second try")))
    response = gateway.chat(version="v2", stream=streamed)
    assert response.status_code == 200, response.text
    text = text_of(chunks_of(response)) if streamed else response.json()["choices"][0]["message"]["content"]
    assert text == "second try"
    assert response.headers["X-Gateway-Attempts"] == "2"
    assert len(upstream.requests) == 2


def test_tries_are_bounded_and_told(upstream: Upstream, gateway: Gateway) -> None:
    upstream.script(empty(), times=None)
    response = gateway.chat()
    assert response.status_code == 502
    error = response.json()["error"]
    assert [tried["error"] for tried in error["details"]["tried"]] == [error["code"]] * 2
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param([Drop()], id="closed"),
        pytest.param([Drop(reset=True)], id="reset"),
        pytest.param([End()], id="ended without a word"),
        pytest.param([Events([b'data: {"error":{"code":"1234","message":"boom"}}\n\n'])], id="error frame"),
        pytest.param([Events([b"data: {broken\n\n"])], id="broken json"),
    ],
)
def test_a_fault_in_the_middle_ends_with_one_error_event(
    upstream: Upstream, gateway: Gateway, tail: list[object]
) -> None:
    upstream.script([Head(), Events(HALF), *tail])
    before = failed(gateway)
    data = list(data_of(gateway.chat(version="v2", stream=True)))
    assert sum('"error":{' in entry for entry in data) == 1
    assert '"error":{' in data[-1]
    assert '"type":"server_error"' in data[-1]
    assert len(upstream.requests) == 1, "what the client has seen is never started anew"
    assert eventually(lambda: failed(gateway) == before + 1), "alerts see it, though its status was a 200"


def failed(gateway: Gateway) -> float:
    """How many chats have ended with a 5xx, as alerts count them."""
    counted = re.findall(
        r'glm_requests_total\{endpoint="/v2/chat/[^}]*status="5..".* (\S+)', gateway.get("/metrics").text
    )
    return sum(map(float, counted))


def test_a_fault_in_the_middle_of_a_whole_answer_is_a_502(upstream: Upstream, gateway: Gateway) -> None:
    upstream.script(without_last_chunk(HALF))
    assert gateway.chat().status_code == 502


def test_html_from_a_front_is_a_clear_error(upstream: Upstream, gateway: Gateway) -> None:
    upstream.script(html_page(), times=None)
    response = gateway.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_broken")
    assert response.json()["error"]["message"] == "the provider sent something that is no JSON"
    assert "Checking your browser" not in response.text


def test_keep_alives_are_comments_from_acceptance_on(upstream: Upstream, gateway: Gateway) -> None:
    upstream.script([Hold("headers"), Head(), Hold("body"), Events(glm_stream("late")), *stream([])[2:]])
    response = gateway.chat(version="v2", stream=True)
    assert response.status_code == 200, "the status is sent when the first sign of life is due"
    lines = response.iter_lines(chunk_size=1)
    assert next(lines) == b": keep-alive"
    upstream.release(gate="headers")
    assert upstream.wait_held(gate="body")
    seen = [next(lines) for _ in range(4)]
    assert b": keep-alive" in seen
    assert set(seen) <= {b"", b": keep-alive"}
    upstream.release(gate="body")
    data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
    assert text_of([json.loads(entry) for entry in data[:-1]]) == "late"
    assert data[-1] == b"[DONE]"


def test_silence_ends_in_a_timeout(upstream: Upstream, impatient: Gateway) -> None:
    upstream.script([Head(), Hold(), *stream([])[2:]], times=None)
    response = impatient.chat()
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "upstream_timeout"
    assert upstream.wait_closed()


def test_silence_in_the_middle_ends_in_one_error_event(upstream: Upstream, impatient: Gateway) -> None:
    upstream.script([Head(), Events(HALF), Hold(), *stream([])[2:]], times=None)
    data = list(data_of(impatient.chat(stream=True)))
    assert "upstream_timeout" in data[-1]
    assert upstream.wait_closed()


def test_a_provider_that_is_down_is_a_502_and_recovers(tmp_path_factory: pytest.TempPathFactory) -> None:
    first = Upstream()
    with Gateway(tmp_path_factory.mktemp("down"), **environment(first)) as gateway:
        first.close()
        response = gateway.chat()
        assert response.status_code == 502
        assert response.json()["error"]["code"] == "upstream_unreachable"
        with Upstream(port=first.port):
            assert gateway.chat().status_code == 200


def test_a_signature_that_has_expired_is_made_anew_once(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(glm_error("1003", 401))
    upstream.script(stream(glm_stream("signed again")))
    before = time.time() * 1000
    secret = "0123456789abcdef0123456789abcdef"
    settings = environment(upstream, GLM_API_KEY=f"id.{secret}", GATEWAY__PROVIDERS__GLM__AUTH="jwt")
    with Gateway(tmp_path, **settings) as gateway:
        assert gateway.chat(version="v2").json()["choices"][0]["message"]["content"] == "signed again"
    sent = [request.bearer for request in upstream.requests]
    assert len(set(sent)) == len(sent) == 2
    for token in sent:
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "sign_type": "SIGN"}
        said = jwt.decode(token, secret, algorithms=["HS256"])
        assert said == {"api_key": "id", "exp": said["timestamp"] + 210_000, "timestamp": said["timestamp"]}
        assert before <= said["timestamp"] <= time.time() * 1000, "in milliseconds"


PING = b": ping\n\n"
ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
THOUGHT = event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm "}}]})


@pytest.mark.parametrize("nothing", [PING, ROLE, THOUGHT], ids=["comments", "empty deltas", "hidden thinking"])
def test_bytes_that_show_the_client_nothing_are_no_sign_of_life(
    upstream: Upstream, embedded: Gateway, nothing: bytes
) -> None:
    busy = [step for _ in range(50) for step in (Send(nothing), Pause(0.05))]
    upstream.script([Head(), *busy, Events(glm_stream("late")), End()])
    response = embedded.chat(version="v2", stream=True)
    text = response.content
    assert text.count(b": keep-alive") >= 2
    assert text.rstrip().endswith(b"data: [DONE]")


def test_comments_do_not_stand_for_a_first_content(upstream: Upstream, impatient: Gateway) -> None:
    upstream.script([Head(), *(step for _ in range(100) for step in (Send(PING), Pause(0.05)))], times=None)
    response = impatient.chat()
    assert response.status_code == 504
    assert upstream.wait_closed()


def test_an_error_whose_body_never_comes_is_told_all_the_same(upstream: Upstream, embedded: Gateway) -> None:
    upstream.script([Head(500, JSON, length=500), Raw(b"{"), AwaitClose()])
    upstream.script(stream(glm_stream("second try")))
    assert embedded.chat(version="v2").json()["choices"][0]["message"]["content"] == "second try"
