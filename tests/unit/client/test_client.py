"""What the client does when gateways misbehave."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from client import (
    BudgetExceeded,
    ChatReply,
    Conflict,
    Forbidden,
    GatewayClient,
    InvalidRequest,
    RateLimited,
    StreamBroken,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unauthorized,
    Unreachable,
    UpstreamFailed,
)
from client.answers import retry_after
from tests.ports import free_port
from tests.unit.client.gateways_kit import HI, Farm, farm, refuses
from tests.upstreams.openai_answers import openai_body, openai_error_event, openai_stream
from tests.upstreams.steps import Drop, End, Events, Head, Hold, Send, whole

FULL = {
    "scope": "key",
    "name": "ann",
    "window": "daily",
    "spent_usd": 9.99,
    "limit_usd": 10.0,
    "resets_at": "2026-11-27T00:00:00+00:00",
    "resets_in_seconds": 3600.0,
}


def both(one: Farm, how: str) -> ChatReply:
    """The answer to one question, whole or streamed."""
    if how == "whole":
        return one.client.chat(HI)
    with one.client.stream(HI) as stream:
        assert "".join(delta.text for delta in stream if isinstance(delta, TextDelta)) == stream.reply.text
        return stream.reply


WAYS = pytest.mark.parametrize("how", ["whole", "stream"])


@WAYS
def test_an_answer_says_what_it_is_and_who_gave_it(how: str) -> None:
    with farm(models=["glm-4.7"]) as one:
        reply = both(one, how)
        (request,) = one.gateways[0].requests
    assert (reply.text, reply.model, reply.finish_reason) == ("I am 0", "glm-4.7", "stop")
    assert (reply.provider, reply.upstream_model, reply.request_id, reply.attempts) == ("glm", "glm-4.7", "req-1", 2)
    assert (reply.usage.input_tokens, reply.usage.cached_tokens, reply.usage.output_tokens) == (9, 4, 12)
    assert reply.cost_usd == (0.0000028 if how == "whole" else None)
    assert request.headers["authorization"] == "Bearer key"
    assert request.body["model"] == "glm-4.7"
    assert len(request.headers["x-request-id"]) == 32


def test_only_what_is_given_is_sent() -> None:
    with farm() as one:
        one.client.chat(HI, temperature=0, max_tokens=None, user="u")
        assert one.gateways[0].requests[0].body == {"messages": HI, "temperature": 0, "user": "u"}


def test_tool_calls_arrive_whole_and_in_pieces() -> None:
    calls: Any = [("call_a", "weather", '{"city":"Köln"}'), ("call_b", "clock", "{}")]
    with farm() as one:
        one.gateways[0].script(*whole(openai_body("", "", calls)))
        assert one.client.chat(HI).tool_calls == tuple(ToolCall(*call) for call in calls)
        one.gateways[0].script([Head(), Events(openai_stream("", "", calls, piece=3))])
        with one.client.stream(HI) as stream:
            deltas = list(stream)
            assert stream.reply.tool_calls == tuple(ToolCall(*call) for call in calls)
        assert deltas[0] == ToolCallDelta(0, '{"c', "call_a", "weather") or isinstance(deltas[0], ToolCallDelta)


# Failures that lead elsewhere


@WAYS
@pytest.mark.parametrize(
    "steps",
    [[Drop(reset=True)], refuses(500), refuses(502), refuses(503), refuses(504), whole(b"<html>", 502)],
    ids=["dropped", "500", "502", "503", "504", "html"],
)
def test_a_gateway_that_fails_is_followed_by_the_next_at_once(how: str, steps: Any) -> None:
    with farm(2) as one:
        one.gateways[0].script(steps, times=None)
        assert both(one, how).text == "I am 1"
        assert (one.asked, one.time.slept) == ([1, 1], [])
        assert both(one, how).text == "I am 1"
        assert one.asked == [1, 2], "the one that failed is asked last for a while"
        one.gateways[0].reset()
        one.gateways[0].script(*whole(openai_body("back")), times=None)
        one.time.now += 31
        assert one.client.chat(HI).text == "back"


@WAYS
@pytest.mark.parametrize(
    "steps",
    [
        whole(b"", 302, {"Location": "https://login.example/"}),
        whole(b"<html>", 404, {"Content-Type": "text/html"}),
        whole(b"404 page not found\n", 404, {"Content-Type": "text/plain"}),
        whole(b"", 404),
        whole(b'{"detail":"Not Found"}', 404),
        whole(b"<html>", 400, {"Content-Type": "text/html"}),
    ],
    ids=["redirect", "page", "text", "nothing", "json", "bad request"],
)
def test_what_is_no_answer_of_a_gateway_is_followed_by_the_next_and_not_asked_again(how: str, steps: Any) -> None:
    with farm(2) as one:
        one.gateways[0].script(steps, times=None)
        assert both(one, how).text == "I am 1"
        one.gateways[1].script(steps, times=None)
        with pytest.raises(UpstreamFailed) as refused:
            both(one, how)
        assert refused.value.status in (302, 400, 404)
        assert (one.asked, one.time.slept) == ([2, 2], []), "no address gets better by waiting"


def test_nobody_listening_is_told_after_all_tries() -> None:
    with farm(policy={"attempts": 3}) as one:
        one.client = GatewayClient(f"http://127.0.0.1:{free_port()}", clock=one.time.clock, sleep=one.time.sleep)
        with pytest.raises(Unreachable):
            one.client.chat(HI)
    assert len(one.time.slept) == 5


@WAYS
def test_a_gateway_alone_is_asked_again_after_growing_waits(how: str) -> None:
    with farm(policy={"attempts": 4, "first_wait": 1.0, "longest_wait": 3.0}) as one:
        one.gateways[0].script(refuses(500), times=3)
        assert both(one, how).text == "I am 0"
        assert one.asked == [4]
        first, second, third = one.time.slept
        assert 0.5 <= first <= 1
        assert 1 <= second <= 2
        assert 1.5 <= third <= 3
        assert len({request.headers["x-request-id"] for request in one.gateways[0].requests}) == 1


def test_retry_after_is_heeded_and_the_shortest_wait_goes_first() -> None:
    with farm(2) as one:
        one.gateways[0].script(refuses(429, "rate_limit_error", headers={"Retry-After": "50"}), times=1)
        one.gateways[1].script(refuses(429, "rate_limit_error", headers={"Retry-After": "7"}), times=1)
        assert one.client.chat(HI).text == "I am 1"
        (waited,) = one.time.slept
        assert 7.25 <= waited <= 7.5, "and a little longer, so that not all come back at once"
        assert one.asked == [1, 2]


@WAYS
def test_retry_after_may_be_a_date(how: str) -> None:
    with farm(timeout=100.0) as one:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
        one.gateways[0].script(refuses(429, "rate_limit_error", headers={"Retry-After": date}))
        assert both(one, how).text == "I am 0"
        assert 55 < one.time.slept[0] < 61


def test_a_wait_beyond_the_time_of_the_call_is_told_at_once() -> None:
    details = {"scope": "ip", "limit": 5}
    with farm(timeout=10.0) as one:
        one.gateways[0].script(refuses(429, "rate_limit_error", headers={"Retry-After": "11"}, details=details))
        with pytest.raises(RateLimited) as refused:
            one.client.chat(HI)
        assert (refused.value.retry_after, refused.value.scope, one.time.slept) == (11.0, "ip", [])


def test_no_more_is_tried_than_the_policy_allows() -> None:
    with farm(3, policy={"attempts": 4}) as one:
        for gateway in one.gateways:
            gateway.script(refuses(500), times=None)
        with pytest.raises(UpstreamFailed):
            one.client.chat(HI)
        assert sum(one.asked) == 4


def test_what_is_not_to_be_repeated_is_tried_elsewhere_only() -> None:
    with farm(2) as one:
        for gateway in one.gateways:
            gateway.script(refuses(500, headers={"x-should-retry": "false"}), times=None)
        with pytest.raises(UpstreamFailed):
            one.client.chat(HI)
        assert (one.asked, one.time.slept) == ([1, 1], [])


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidRequest), (401, Unauthorized), (403, Forbidden), (404, InvalidRequest), (413, InvalidRequest)],
)
def test_what_another_try_does_not_mend_is_told_at_once(status: int, error: type[Exception]) -> None:
    with farm(2) as one:
        one.gateways[0].script(refuses(status, code="nope"))
        with pytest.raises(error, match="no") as refused:
            one.client.chat(HI)
        assert one.asked == [1, 0]
        assert (refused.value.code, refused.value.request_id) == ("nope", "req-9")  # type: ignore[attr-defined] # ours


@WAYS
def test_what_a_provider_was_in_the_middle_of_is_sent_again(how: str) -> None:
    conflict = refuses(409, "invalid_request_error", "conflict")
    with farm(2) as one:
        one.gateways[0].script(conflict)
        assert both(one, how).text == "I am 1"
        assert one.asked == [1, 1]
    with farm(policy={"attempts": 3}) as one:
        one.gateways[0].script(conflict, times=2)
        assert both(one, how).text == "I am 0"
        assert len(one.time.slept) == 2
        one.gateways[0].script(conflict, times=None)
        with pytest.raises(Conflict) as refused:
            both(one, how)
        assert len(refused.value.tried) == 3


def test_a_conflict_that_would_come_out_the_same_is_told_at_once() -> None:
    with farm(2) as one:
        one.gateways[0].script(
            refuses(409, "invalid_request_error", "conflict", headers={"x-should-retry": "false"}), times=None
        )
        with pytest.raises(Conflict):
            one.client.chat(HI)
        assert one.asked == [1, 0]


# Models


def test_a_gateway_that_fails_in_the_middle_of_a_call_is_asked_last_for_its_other_models() -> None:
    with farm(2, models=["first", "second"]) as one:
        one.gateways[0].script([Drop(reset=True)], times=None)
        one.gateways[1].script(refuses(404, "invalid_request_error", "model_not_found"), times=None, model="first")
        assert one.client.chat(HI).model == "second"
        assert one.asked == [1, 2], "the gateway that answers comes ahead of the one that was just found to be away"


@pytest.mark.parametrize("code", ["model_not_found", "model_not_allowed", "context_length_exceeded"])
def test_the_next_model_is_asked_for_where_one_cannot_answer(code: str) -> None:
    with farm(models=["first", "second"]) as one:
        one.gateways[0].script(refuses(404, "invalid_request_error", code), times=None, model="first")
        assert one.client.chat(HI).model == "second"
        assert one.client.chat(HI, model="third").model == "third"
        assert one.client.chat(HI, models=["fourth"]).model == "fourth"
        with pytest.raises(InvalidRequest):
            one.client.chat(HI, model="first")


# Budgets


def test_a_budget_is_told_with_all_that_is_known_and_never_asked_again() -> None:
    with farm() as one:
        headers = {"Retry-After": "3600"}
        one.gateways[0].script(
            refuses(429, "insufficient_quota", "budget_exceeded", details=FULL, headers=headers), times=None
        )
        with pytest.raises(BudgetExceeded) as refused:
            one.client.chat(HI)
    error = refused.value
    assert (error.scope, error.name, error.window, error.spent_usd, error.limit_usd) == (
        "key",
        "ann",
        "daily",
        9.99,
        10,
    )
    assert (error.resets_in, error.resets_at) == (3600.0, FULL["resets_at"])
    assert (one.asked, one.time.slept) == ([1], [])


def test_money_may_be_left_for_another_model_or_at_another_gateway() -> None:
    with farm(2, models=["dear", "cheap"]) as one:
        spent = refuses(429, "insufficient_quota", "budget_exceeded", details=FULL)
        one.gateways[0].script(spent, times=None, model="dear")
        assert one.client.chat(HI).text == "I am 1"
        one.gateways[1].script(spent, times=None, model="dear")
        reply = one.client.chat(HI)
        assert (reply.model, reply.text) == ("cheap", "I am 0")


# Streams


def test_a_stream_that_breaks_ahead_of_its_first_content_is_tried_elsewhere() -> None:
    head = openai_stream("x")[0]
    for steps in ([Head(), Send(b": keep-alive\n\n"), Drop()], [Head(), Send(head), Drop()], [Head(), End()],
                  [Head(), Send(openai_error_event())]):  # fmt: skip
        with farm(2) as one:
            one.gateways[0].script(steps)
            assert both(one, "stream").text == "I am 1"


@pytest.mark.parametrize(
    "end", [[Drop()], [Drop(reset=True)], [End()], [Send(openai_error_event())], [Send(b"data: {broken\n\n")]], ids=str
)
def test_a_stream_that_breaks_behind_it_is_told_with_what_had_come_and_tried_nowhere(end: Any) -> None:
    with farm(2) as one:
        one.gateways[0].script([Head(), Events(openai_stream("half of it", piece=100)[:2]), *end])
        with one.client.stream(HI) as stream, pytest.raises(StreamBroken) as broken:
            list(stream)
        assert broken.value.partial == "half of it"
        assert one.asked == [1, 0]


def test_leaving_a_stream_closes_its_connection() -> None:
    with farm() as one:
        one.gateways[0].script([Head(), Events(openai_stream("never ends")[:3]), Hold()])
        with one.client.stream(HI) as stream:
            assert isinstance(next(iter(stream)), TextDelta)
        assert one.gateways[0].wait_closed()


# The rest


def test_when_to_come_back_may_be_a_number_or_a_date() -> None:
    now = datetime.now(UTC)
    date = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after({"Retry-After": "2.5"}) == 2.5
    assert 88 < (retry_after({"Retry-After": date}, now) or 0) <= 90
    assert [retry_after({"Retry-After": said}) for said in ("-5", "soon", "")] == [0.0, None, None]
    assert retry_after({}) is None


def test_vectors_come_in_the_order_of_their_texts() -> None:
    rows = [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]
    body = {"data": rows, "model": "e", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    with farm() as one:
        one.gateways[0].script(*whole(json.dumps(body).encode()))
        reply = one.client.embed(["a", "b"], model="e")
    assert (reply.vectors, reply.usage.input_tokens) == (((1, 2), (3, 4)), 3)


def test_a_client_without_a_gateway_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no gateway"):
        GatewayClient([])


def test_a_refusal_in_many_pieces_is_read_whole() -> None:
    error = {"message": "no", "type": "insufficient_quota", "code": "budget_exceeded", "details": FULL}
    body = json.dumps({"error": error}).encode()
    with farm() as one:
        pieces = [Send(body[at : at + 10]) for at in range(0, len(body), 10)]
        one.gateways[0].script([Head(429, {"Content-Type": "application/json"}), *pieces, End()], times=None)
        with pytest.raises(BudgetExceeded) as refused:
            one.client.chat(HI)
        assert (refused.value.name, one.asked) == ("ann", [1])
