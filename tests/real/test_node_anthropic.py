"""Anthropic's SDK for Node against the running gateway, in front of providers of three forms."""

from typing import Any

import pytest

from tests.gateway import Gateway
from tests.real.kit import CALL, CLAUDE_VENDOR, GLM_VENDOR, TEXT, THINKING, VENDORS, Vendor, ask_node, blocks_of
from tests.upstreams.answers import glm_error, glm_stream
from tests.upstreams.anthropic_answers import SIGNATURE, anthropic_error, anthropic_error_event, anthropic_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, Events, Head, Hold, Step


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Each provider."""
    found: Vendor = request.param
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_with_thinking_text_and_a_call(
    gateway: Gateway, upstream: Upstream, vendor: Vendor, stream: bool
) -> None:
    vendor.says(upstream, TEXT, THINKING, [CALL])
    answer = ask_node("anthropic", "answer", gateway.url, model=vendor.model, stream=stream)
    thinking, text, call = answer["content"]
    assert (thinking["type"], thinking["thinking"]) == ("thinking", THINKING)
    assert (text["type"], text["text"]) == ("text", TEXT)
    assert (call["type"], call["id"], call["name"], call["input"]) == ("tool_use", *CALL[:2], {"city": "Köln"})
    assert (answer["type"], answer["role"], answer["model"]) == ("message", "assistant", vendor.model)
    assert answer["stop_reason"] == "tool_use"
    usage = answer["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (5, 4, 12)


def test_a_stream_has_the_events_of_the_form_in_their_order(
    gateway: Gateway, upstream: Upstream, vendor: Vendor
) -> None:
    vendor.says(upstream, TEXT)
    events = ask_node("anthropic", "events", gateway.url, model=vendor.model)
    kinds = [event["type"] for event in events if event["type"] not in ("ping", "content_block_delta")]
    assert kinds == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta") == TEXT
    assert events[0]["message"]["model"] == vendor.model


@pytest.mark.parametrize("stream", [False, True])
def test_a_tools_result_goes_back_with_all_that_the_model_said(
    gateway: Gateway, upstream: Upstream, vendor: Vendor, stream: bool
) -> None:
    vendor.says(upstream, TEXT, THINKING, [CALL])
    vendor.says(upstream, "Take a hat.")
    done = ask_node("anthropic", "tools", gateway.url, model=vendor.model, stream=stream)
    assert done["last"]["content"][-1]["text"] == "Take a hat."
    assert done["last"]["stop_reason"] == "end_turn"
    sent = upstream.requests[-1].raw_body.decode()
    assert "Sunny in Köln." in sent
    assert CALL[0] in sent
    assert upstream.pending_scripts == 0


def test_signed_thinking_comes_back_to_its_provider_untouched(gateway: Gateway, upstream: Upstream) -> None:
    CLAUDE_VENDOR.says(upstream, "", THINKING, [CALL])
    ask_node("anthropic", "tools", gateway.url, model=CLAUDE_VENDOR.model, stream=True)
    turn = upstream.requests[-1].body["messages"][1]
    assert blocks_of(turn, "thinking") == [{"type": "thinking", "thinking": THINKING, "signature": SIGNATURE}]


def test_thinking_of_glm_comes_back_to_it_as_text(gateway: Gateway, upstream: Upstream) -> None:
    GLM_VENDOR.says(upstream, "", THINKING, [CALL])
    ask_node("anthropic", "tools", gateway.url, model=GLM_VENDOR.model, stream=True)
    assert upstream.requests[-1].body["messages"][1]["reasoning_content"] == THINKING


def test_marks_for_the_cache_reach_a_provider_that_knows_them(
    gateway: Gateway, upstream: Upstream, vendor: Vendor
) -> None:
    vendor.says(upstream, TEXT)
    answer = ask_node("anthropic", "cached", gateway.url, model=vendor.model)
    assert answer["content"][0]["text"] == TEXT
    assert ("cache_control" in upstream.requests[-1].raw_body.decode()) == (vendor is CLAUDE_VENDOR)


def test_models_are_listed_page_by_page_and_found(gateway: Gateway) -> None:
    listed = ask_node("anthropic", "models", gateway.url, model=GLM_VENDOR.model)
    assert {vendor.model for vendor in VENDORS} <= set(listed["ids"])
    assert len(listed["ids"]) == len(set(listed["ids"]))
    assert (listed["one"]["type"], listed["one"]["id"]) == ("model", GLM_VENDOR.model)


def test_tokens_are_counted_by_the_provider_or_else_by_the_gateway(gateway: Gateway, upstream: Upstream) -> None:
    assert ask_node("anthropic", "count", gateway.url, model=CLAUDE_VENDOR.model) == {"input_tokens": 33}
    assert upstream.requests[-1].path.endswith("/count_tokens")
    upstream.requests.clear()
    assert 10 < ask_node("anthropic", "count", gateway.url, model=GLM_VENDOR.model)["input_tokens"] < 100
    assert not upstream.requests


@pytest.mark.parametrize("sent_as", ["apiKey", "authToken"])
def test_the_callers_key_may_be_sent_either_way(gateway: Gateway, upstream: Upstream, sent_as: str) -> None:
    GLM_VENDOR.says(upstream, TEXT)
    answer = ask_node("anthropic", "answer", gateway.url, model=GLM_VENDOR.model, **{"as": sent_as})
    assert answer["content"][0]["text"] == TEXT


@pytest.mark.parametrize(
    ("options", "raised", "status", "kind"),
    [
        ({"model": "no-such-model"}, "NotFoundError", 404, "not_found_error"),
        ({"model": GLM_VENDOR.model, "key": "wrong"}, "AuthenticationError", 401, "authentication_error"),
    ],
)
def test_a_refusal_of_the_gateway_is_the_sdks_own_error(
    gateway: Gateway, options: dict[str, str], raised: str, status: int, kind: str
) -> None:
    error = ask_node("anthropic", "answer", gateway.url, **options)
    assert (error["raised"], error["status"], error["type"]) == (raised, status, kind)
    assert error["requestID"]


@pytest.mark.parametrize(
    ("vendor", "failure", "raised", "status", "kind"),
    [
        (CLAUDE_VENDOR, anthropic_error("overloaded_error", 529), "OverloadedError", 529, "overloaded_error"),
        (CLAUDE_VENDOR, anthropic_error("rate_limit_error", 429), "RateLimitError", 429, "rate_limit_error"),
        (GLM_VENDOR, glm_error("1302", 429), "RateLimitError", 429, "rate_limit_error"),
        (GLM_VENDOR, glm_error("1261", 400), "BadRequestError", 400, "invalid_request_error"),
    ],
    ids=["claude-529", "claude-429", "glm-429", "glm-400"],
)
def test_a_failure_of_a_provider_is_the_sdks_own_error(
    fresh: Gateway, upstream: Upstream, vendor: Vendor, failure: list[Step], raised: str, status: int, kind: str
) -> None:
    upstream.script(failure)
    error = ask_node("anthropic", "answer", fresh.url, model=vendor.model)
    assert (error["raised"], error["status"], error["type"]) == (raised, status, kind)
    assert len(upstream.requests) == 1


CLAUDE_HALF = anthropic_stream("half of it")[:3]
GLM_HALF = glm_stream("half of it")[:2]


@pytest.mark.parametrize(
    ("vendor", "half", "fault"),
    [
        (CLAUDE_VENDOR, CLAUDE_HALF, [Events([anthropic_error_event("overloaded_error", "too many")])]),
        (CLAUDE_VENDOR, CLAUDE_HALF, [Drop()]),
        (GLM_VENDOR, GLM_HALF, [Drop(reset=True)]),
    ],
    ids=["claude-event", "claude-drop", "glm-reset"],
)
def test_a_fault_in_the_middle_of_a_stream_is_raised(
    fresh: Gateway, upstream: Upstream, vendor: Vendor, half: list[bytes], fault: list[Any]
) -> None:
    upstream.script([Head(), Events(half), *fault])
    error = ask_node("anthropic", "answer", fresh.url, model=vendor.model, stream=True)
    assert error["raised"] == "APIError"
    assert error["type"] in ("overloaded_error", "api_error")


def test_a_client_that_leaves_in_the_middle_ends_the_providers_stream(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script([Head(), Events(CLAUDE_HALF), Hold()])
    ask_node("anthropic", "hangup", gateway.url, model=CLAUDE_VENDOR.model)
    assert upstream.wait_closed()
    assert upstream.requests[-1].disconnected.is_set()
