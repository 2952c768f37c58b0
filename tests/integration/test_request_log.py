"""Whole requests and answers in a log of their own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.upstreams.answers import glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, Events, Head, Hold, stream, whole


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "GATEWAY__LOGGING__REQUESTS__ENABLED": "true",
        "GATEWAY__LOGGING__REQUESTS__FILE": "exchanges.json",
        "GATEWAY__LOGGING__REQUESTS__MAX_BYTES": "2000",
        "GATEWAY__LOGGING__REQUESTS__PATTERNS": '{"ticket": "T-[0-9]+"}',
    }
    with Gateway(tmp_path_factory.mktemp("logged"), **environment(provider, **settings)) as running:
        yield running


def logged(gateway: Gateway, request_id: str) -> Any:
    """What was written down of a request."""
    found: list[Any] = []

    def is_there() -> bool:
        file = gateway.directory / "exchanges.json"
        lines = file.read_text().splitlines() if file.exists() else []
        found[:] = [one for one in map(json.loads, lines) if one["request_id"] == request_id]
        return bool(found)

    assert eventually(is_there)
    (one,) = found
    return one


def test_a_whole_answer_is_written_down_with_what_it_took(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.chat("I am ann@example.com, see T-77", headers={"X-Request-ID": "whole-1"})
    assert answer.status_code == 200
    line = logged(gateway, "whole-1")
    assert line["request"]["messages"] == [{"role": "user", "content": "I am [email], see [ticket]"}]
    assert (line["event"], line["status"], line["endpoint"]) == ("exchange", 200, "/v1/chat/completions")
    assert line["response"]["text"] in answer.json()["choices"][0]["message"]["content"]
    assert line["response"]["complete"]
    assert (line["provider"], line["ip"], line["usage"]["source"]) == ("glm", "[ip]", "reported")
    assert line["ms"] >= line["upstream_ms"] > 0
    assert [attempt["error"] for attempt in line["attempts"]] == [None]


def test_a_stream_is_written_down_as_what_it_said(gateway: Gateway, upstream: Upstream) -> None:
    gateway.chat(stream=True, headers={"X-Request-ID": "stream-1"}).text  # noqa: B018 - reads it
    line = logged(gateway, "stream-1")
    assert (line["stream"], line["response"]["complete"]) == (True, True)
    assert line["response"]["text"]
    assert line["first_token_ms"] > 0


def test_a_client_that_leaves_half_way_and_a_provider_that_breaks_off_leave_what_was_said(
    gateway: Gateway, upstream: Upstream
) -> None:
    half = glm_stream("half of it")[:2]
    upstream.script([Head(), Events(half), Hold()])
    with gateway.chat(stream=True, headers={"X-Request-ID": "left-1"}) as answer:
        next(answer.iter_content(None))
    line = logged(gateway, "left-1")
    assert (line["failure"], line["response"]["complete"]) == ("client_closed_request", False)
    upstream.script([Head(), Events(half), Drop()])
    gateway.chat(stream=True, headers={"X-Request-ID": "broke-1"}).text  # noqa: B018 - reads it
    line = logged(gateway, "broke-1")
    assert line["failure"]
    assert line["response"]["complete"] is False


def test_what_is_refused_is_written_down_as_well(gateway: Gateway) -> None:
    gateway.post("/v1/chat/completions", {"messages": "no"}, headers={"X-Request-ID": "bad-1"})
    line = logged(gateway, "bad-1")
    assert (line["status"], line["request"]) == (400, {"messages": "no"})
    assert line["response"]["error"]["param"] == "messages"


def test_of_a_long_text_the_beginning_is_kept_and_the_rest_counted(gateway: Gateway, upstream: Upstream) -> None:
    secret = "sk-abcdefghijklmnop"
    gateway.chat("x" * 1960 + secret + "y" * 5000, headers={"X-Request-ID": "long-1"})
    shown = logged(gateway, "long-1")["request"]
    assert len(shown["beginning"]) == 2000
    assert 4900 < shown["cut_off"] < 5200
    assert "sk-abc" not in shown["beginning"], "what is cut in two at the end is no half of a secret"


SECRETS = {"key": "sk-proj-abcdefghijklmnop", "ip": "203.0.113.77", "card": "4111 1111 1111 1111"}


def test_a_long_text_is_looked_through_as_what_it_says_and_not_as_it_is_spelled(
    gateway: Gateway, upstream: Upstream
) -> None:
    lines = "\n".join(SECRETS.values()) + "\n\t" + SECRETS["key"]
    body = {
        "model": "glm-4.6",
        "metadata": {"password": "open sesame", "line": f"\n{SECRETS['key']}"},
        "messages": [{"role": "user", "content": f"{lines}\n{'y' * 5000}"}],
    }
    gateway.post("/v1/chat/completions", body, headers={"X-Request-ID": "long-2"})
    shown = logged(gateway, "long-2")["request"]["beginning"]
    assert "[secret]" in shown
    assert not [secret for secret in (*SECRETS.values(), "open sesame") if secret in shown]


@pytest.mark.parametrize("tail", ["", "y" * 5000])
@pytest.mark.parametrize("end", ["", ","], ids=["json", "broken"])
def test_a_body_of_no_request_is_looked_through_just_as_well(gateway: Gateway, tail: str, end: str) -> None:
    arguments = json.dumps({"password": "open sesame", "line": f"\n{SECRETS['key']}"})
    body = {"password": "open sesame", "arguments": arguments, "line": "\n".join(SECRETS.values()), "tail": tail}
    request_id = f"sent-{len(tail)}-{len(end)}"
    headers = {"Content-Type": "application/json", "X-Request-ID": request_id}
    requests.post(f"{gateway.url}/v1/chat/completions", json.dumps(body) + end, headers=headers, timeout=10)
    shown = json.dumps(logged(gateway, request_id)["request"])
    assert "[secret]" in shown
    assert not [secret for secret in (*SECRETS.values(), "open sesame") if secret in shown]


def test_what_is_answered_after_a_refusal_that_could_be_mended_is_written_down(
    gateway: Gateway, upstream: Upstream
) -> None:
    refusal = {"error": {"message": "Unknown parameter: stream_options", "param": "stream_options"}}
    upstream.script(whole(json.dumps(refusal).encode(), 400))
    upstream.script(stream(glm_stream("here it is")))
    gateway.chat(stream=True, headers={"X-Request-ID": "mended-1"}).text  # noqa: B018 - reads it
    line = logged(gateway, "mended-1")
    assert len(line["attempts"]) == 2
    assert line["response"] == {"text": "here it is", "complete": True}
