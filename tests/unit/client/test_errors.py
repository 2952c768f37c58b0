"""What the client's errors say, and which of them lead on."""

import json
import pickle
from typing import Any

import pytest

from client import (
    BudgetExceeded,
    Forbidden,
    GatewayClient,
    GatewayClientError,
    InvalidRequest,
    RateLimited,
    StreamBroken,
    TextDelta,
    TimedOut,
    Tried,
    Unauthorized,
    UpstreamFailed,
)
from tests.unit.client.gateways_kit import HI, farm, refuses
from tests.upstreams.openai_answers import openai_stream
from tests.upstreams.steps import Events, Head, Hold, Send, Step, whole

KEPT_ALIVE = (Head(), Send(b": keep-alive\n\n"))
SPENT = {"scope": "key", "name": "ann", "window": "daily", "resets_in_seconds": 3600.0}
FINAL: list[tuple[str, str | None, type[GatewayClientError]]] = [
    ("invalid_request_error", "context_length_exceeded", InvalidRequest),
    ("invalid_request_error", None, InvalidRequest),
    ("authentication_error", "invalid_provider_key", Unauthorized),
    ("permission_error", "upstream_forbidden", Forbidden),
    ("insufficient_quota", "budget_exceeded", BudgetExceeded),
    ("server_error", "upstream_unauthorized", UpstreamFailed),
    ("service_unavailable_error", "no_credentials", UpstreamFailed),
]


def failing(kind: str, code: str | None, **more: Any) -> Send:
    error = {"message": "told in the stream", "type": kind, "param": "messages", "code": code, **more}
    return Send(f"data: {json.dumps({'error': error, 'request_id': 'r'})}\n\n".encode())


@pytest.mark.parametrize(("kind", "code", "expected"), FINAL)
def test_a_refusal_in_a_stream_that_was_kept_alive_is_what_it_would_have_been_as_a_status(
    kind: str, code: str | None, expected: type[GatewayClientError]
) -> None:
    with farm() as one:
        one.gateways[0].script(*KEPT_ALIVE, failing(kind, code, details=SPENT), times=None)
        with pytest.raises(expected, match="told in the stream") as refused:
            one.client.stream(HI)
        assert one.asked == [1], "another try would come out the same"
        assert (type(refused.value), refused.value.code, refused.value.param) == (expected, code, "messages")
        assert one.gateways[0].wait_closed()


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("server_error", "upstream_timeout", TimedOut),
        ("server_error", "upstream_broken", UpstreamFailed),
        ("service_unavailable_error", "overloaded", UpstreamFailed),
        ("rate_limit_error", "credentials_exhausted", RateLimited),
    ],
)
def test_a_failure_there_is_tried_again_and_told_as_what_it_is(
    kind: str, code: str, expected: type[GatewayClientError]
) -> None:
    with farm(policy={"attempts": 2}) as one:
        one.gateways[0].script(*KEPT_ALIVE, failing(kind, code, details={"opens_in_seconds": 9}))
        with one.client.stream(HI) as stream:
            list(stream)
        assert one.asked == [2]
        assert one.time.slept[0] >= 9
        one.gateways[0].script(*KEPT_ALIVE, failing(kind, code), times=None)
        with pytest.raises(expected):
            one.client.stream(HI)


def test_what_broke_a_stream_off_stands_behind_the_error() -> None:
    with farm() as one:
        started = Events(openai_stream("half", piece=100)[:2])
        one.gateways[0].script(Head(), started, failing("insufficient_quota", "budget_exceeded", details=SPENT))
        with one.client.stream(HI) as stream, pytest.raises(StreamBroken) as broken:
            list(stream)
        assert one.gateways[0].wait_closed(), "also without leaving the context"
        cause = broken.value.__cause__
        assert isinstance(cause, BudgetExceeded)
        assert (cause.name, cause.resets_in, broken.value.code) == ("ann", 3600.0, "budget_exceeded")


def test_a_stream_that_was_closed_is_not_taken_for_a_whole_answer() -> None:
    with farm() as one:
        one.gateways[0].script(Head(), Events(openai_stream("first second", piece=6)[:3]), Hold())
        with one.client.stream(HI) as stream:
            assert next(iter(stream)) == TextDelta("first ")
        with pytest.raises(StreamBroken, match="closed"):
            list(stream)


NONSENSE: dict[str, list[Step]] = {
    "no JSON": whole(b"<html>"),
    "a list": whole(b"[]"),
    "nothing": whole(b"{}"),
    "null": whole(b"null"),
    "other things": whole(b'{"choices": 1, "data": [{"id": []}, 3], "input_tokens": "many"}'),
}


@pytest.mark.parametrize("steps", NONSENSE.values(), ids=NONSENSE.keys())
@pytest.mark.parametrize("how", ["chat", "stream", "embed", "count_tokens", "models"])
def test_an_answer_that_is_none_is_a_failure_which_leads_on(how: str, steps: list[Step]) -> None:
    calls: dict[str, Any] = {
        "chat": lambda client: client.chat(HI),
        "stream": lambda client: client.stream(HI),
        "embed": lambda client: client.embed("a", model="e"),
        "count_tokens": lambda client: client.count_tokens(HI, model="m"),
        "models": lambda client: client.models(),
    }
    with farm(2, policy={"attempts": 2}) as one:
        for gateway in one.gateways:
            gateway.script(steps, times=None)
        with pytest.raises(GatewayClientError):
            calls[how](one.client)
        assert one.asked == [1, 1]


@pytest.mark.parametrize("body", [b"[]", b"null", b"no,json"])
def test_a_report_that_is_none_is_a_failure_as_well(body: bytes) -> None:
    with farm(policy={"attempts": 1}) as one:
        one.gateways[0].script(*whole(body))
        with pytest.raises(UpstreamFailed):
            one.client.usage()


def test_an_error_lists_every_try_and_has_the_id_that_was_sent() -> None:
    with farm(2, models=["first", "second"], policy={"attempts": 4}) as one:
        a, b = (gateway.url for gateway in one.gateways)
        for gateway in one.gateways:
            gateway.script(refuses(503, headers={"x-should-retry": "false", "X-Request-ID": ""}), times=None)
            gateway.script(refuses(429, "rate_limit_error"), model="first")
        with pytest.raises(UpstreamFailed) as refused:
            one.client.chat(HI, request_id="mine-7")
        assert refused.value.tried == (
            Tried(a, "first", "RateLimited: no"),
            Tried(b, "first", "RateLimited: no"),
            Tried(a, "second", "UpstreamFailed: no"),
            Tried(b, "second", "UpstreamFailed: no"),
        )
        assert refused.value.request_id == "mine-7"
        assert {request.headers["x-request-id"] for gateway in one.gateways for request in gateway.requests} == {
            "mine-7"
        }


def test_a_spent_budget_is_told_at_once_where_that_is_wanted() -> None:
    with farm(2, models=["dear", "cheap"], policy={"elsewhere_when_spent": False}) as one:
        one.gateways[0].script(refuses(429, "insufficient_quota", "budget_exceeded", details=SPENT))
        with pytest.raises(BudgetExceeded):
            one.client.chat(HI)
        assert one.asked == [1, 0]


KINDS = [GatewayClientError, *GatewayClientError.__subclasses__(), *RateLimited.__subclasses__()]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_the_way_between_processes(kind: type[GatewayClientError]) -> None:
    error = kind("no", status=429, code="c", details={"name": "ann"}, retry_after=3.0)
    error.tried = (Tried("http://a", "m", "no"),)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, "no", vars(error))


@pytest.mark.parametrize("url", ["", "a:8976", "ftp://a", "http://"])
def test_an_address_that_is_none_is_a_mistake_told_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        GatewayClient(["http://a:8976", url])
