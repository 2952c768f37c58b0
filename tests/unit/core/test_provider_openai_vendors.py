"""What each vendor of OpenAI's form does in its own way."""

from hashlib import sha256
from typing import Any

import pytest

from core.errors import GatewayError, UpstreamOverloaded, UpstreamQuotaExhausted, UpstreamRateLimited
from core.providers.deepseek import DeepSeek
from core.providers.grok import Grok
from core.providers.groq import Groq
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_platform import OpenAI
from core.providers.openrouter import OpenRouter
from core.routing import Route
from core.sse import Event
from schemas.chat import (
    CacheMark,
    ChatRequest,
    DocumentPart,
    Message,
    Native,
    ResponseFormat,
    Sampling,
    TextPart,
    ThinkingBlock,
    ThinkingOptions,
    ToolCall,
)
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from schemas.stream import Finished, ReasoningDelta, TextDelta
from schemas.usage import Usage
from tests.fakes import FakeClock

HI = Message("user", (TextPart("hi"),))
THINKS = ModelInfo("m", "o", 1000, 0, {}, abilities=frozenset({"thinking"}), thinking="effort")
DONE = Event(b"[DONE]")


def body(kind: Any, info: ModelInfo = THINKS, messages: tuple[Message, ...] = (HI,), **fields: Any) -> dict[str, Any]:
    """What is sent for a request that came in Anthropic's dialect."""
    request = ChatRequest("m", messages, Native("anthropic_messages", {}), **fields)
    return dict(loads(upstream(kind, request, info).body))


def upstream(kind: Any, request: ChatRequest, info: ModelInfo = THINKS) -> Any:
    return kind("p", "https://host/v1", FakeClock()).build(
        request, Target("p", "m", info), Credential("p", "k"), "req-1"
    )


def answer(kind: Any, *frames: Any) -> list[Any]:
    events = [frame if isinstance(frame, Event) else Event(dumps(frame)) for frame in frames]
    request = ChatRequest("m", (HI,), Native("anthropic_messages", {}))
    return list(kind("p", "https://host/v1", FakeClock()).decode(events, request))


def frame(finish: str | None = None, /, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def usage_of(kind: Any, **raw: Any) -> Usage | None:
    end = answer(kind, frame(content="x"), {**frame("stop"), "usage": raw}, DONE)[-1]
    assert isinstance(end, Finished)
    return end.usage


def refusal(kind: Any, status: int, said: Any, **headers: str) -> GatewayError:
    error: GatewayError = kind("p", "https://host/v1", FakeClock()).error(status, headers, dumps(said))
    return error


# OpenAI


def test_openai_is_told_the_conversation_for_its_cache_and_the_user_for_its_safety() -> None:
    sent = body(OpenAI, sampling=Sampling(max_tokens=9), user="u" * 99, session="s1")
    assert (sent["max_completion_tokens"], sent["prompt_cache_key"]) == (9, "s1")
    assert sent["safety_identifier"] == sha256(b"u" * 99).hexdigest()
    assert "max_tokens" not in sent


def test_what_a_model_refuses_is_left_out_by_name() -> None:
    info = ModelInfo("m", "o", 0, 0, {}, thinking="effort", refuses=frozenset({"temperature", "stop"}))
    request = ChatRequest(
        "m",
        (HI,),
        Native("anthropic_messages", {}),
        sampling=Sampling(temperature=0.5, top_p=0.9, stop=("x",), top_k=4),
    )
    sent = upstream(OpenAI, request, info)
    assert "temperature" not in loads(sent.body)
    assert loads(sent.body)["top_p"] == 0.9
    assert set(sent.dropped) == {"temperature", "stop", "top_k"}


@pytest.mark.parametrize(
    ("asked", "effort"),
    [
        (ThinkingOptions(), None),
        (ThinkingOptions(enabled=True), None),
        (ThinkingOptions(enabled=False), "none"),
        (ThinkingOptions(effort="xhigh"), "xhigh"),
        (ThinkingOptions(enabled=True, budget=1024), "low"),
        (ThinkingOptions(enabled=True, budget=10_000), "high"),
        (ThinkingOptions(enabled=True, budget=100_000), "xhigh"),
    ],
)
def test_thinking_becomes_an_effort(asked: ThinkingOptions, effort: str | None) -> None:
    assert body(OpenAI, thinking=asked).get("reasoning_effort") == effort


def test_a_model_that_cannot_think_is_not_asked_to() -> None:
    request = ChatRequest(
        "m", (HI,), Native("anthropic_messages", {}), thinking=ThinkingOptions(enabled=True, budget=5000)
    )
    sent = upstream(OpenAI, request, ModelInfo("m", "o", 0, 0, {}))
    assert "reasoning_effort" not in loads(sent.body)
    assert sent.dropped == ("thinking",)


# Groq


def test_groq_tells_usage_and_failure_in_a_field_of_its_own() -> None:
    counts = {"prompt_tokens": 5, "completion_tokens": 2}
    end = answer(Groq, frame(content="x"), {**frame("stop"), "x_groq": {"id": "r", "usage": counts}}, DONE)[-1]
    assert end == Finished("stop", Usage(uncached=5, output=2))
    with pytest.raises(GatewayError, match="generation failed") as raised:
        answer(Groq, frame(content="x"), {**frame(), "x_groq": {"error": "generation failed"}})
    assert raised.value.status == 502


def test_groq_thinks_in_a_field_rather_than_in_tags() -> None:
    assert body(Groq)["reasoning_format"] == "parsed"
    assert "reasoning_format" not in body(Groq, ModelInfo("m", "o", 0, 0, {}))
    unknown = Route("p", "groq", abilities=frozenset({"thinking"}), thinking="effort").unknown("m").info
    assert "reasoning_format" not in body(Groq, unknown), "of which nobody knows whether it thinks"
    assert answer(Groq, frame(reasoning="hm"), frame(content="x"), frame("stop"), DONE)[0] == ReasoningDelta("hm")


def test_groq_switches_models_that_know_no_levels() -> None:
    switch = ModelInfo("m", "o", 0, 0, {}, abilities=frozenset({"thinking"}), thinking="switch")
    assert body(Groq, switch, thinking=ThinkingOptions(effort="low"))["reasoning_effort"] == "default"
    assert body(Groq, switch, thinking=ThinkingOptions(enabled=False))["reasoning_effort"] == "none"


# Grok


def test_grok_counts_reasoning_beside_the_completion() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 30}, "prompt_tokens_details": {"cached_tokens": 4}}
    assert usage_of(Grok, prompt_tokens=10, completion_tokens=5, **details) == Usage(
        uncached=6, read=4, output=35, reasoning=30
    )


def test_a_prompt_of_grok_that_leaves_out_its_cached_part_is_all_uncached() -> None:
    counts = usage_of(Grok, prompt_tokens=10, completion_tokens=1, prompt_tokens_details={"cached_tokens": 40})
    assert counts == Usage(uncached=10, read=40, output=1)


def test_grok_keeps_a_conversation_on_one_server() -> None:
    request = ChatRequest("m", (HI,), Native("openai_chat", {"messages": []}), session="abc")
    assert upstream(Grok, request).headers["x-grok-conv-id"] == "abc"


def test_grok_without_credits_is_out_of_money() -> None:
    said = {"code": "permission-denied", "error": "Your team has used all available credits"}
    assert isinstance(refusal(Grok, 403, said), UpstreamQuotaExhausted)
    assert not isinstance(refusal(Grok, 403, {"error": "no"}), UpstreamQuotaExhausted)


# DeepSeek


def test_deepseek_tells_hits_of_its_cache_apart() -> None:
    counts = usage_of(
        DeepSeek, prompt_tokens=10, completion_tokens=1, prompt_cache_hit_tokens=7, prompt_cache_miss_tokens=3
    )
    assert counts == Usage(uncached=3, read=7, output=1)


def test_deepseek_wants_the_reasoning_back_that_led_to_a_call() -> None:
    calls, own = (ToolCall("c", "f", "{}"),), (ThinkingBlock("why", issuer="deepseek"),)
    told = Message("assistant", (TextPart("a"),), reasoning="why", thinking=own)
    turn = Message("assistant", (), calls, reasoning="why", thinking=own)
    foreign = Message("assistant", (), calls, reasoning="hm", thinking=(ThinkingBlock("hm", "s", issuer="anthropic"),))
    sent = body(DeepSeek, messages=(HI, told, HI, turn, foreign))["messages"]
    assert [message.get("reasoning_content") for message in sent] == [None, None, None, "why", ""]
    silent = body(DeepSeek, messages=(HI, foreign), thinking=ThinkingOptions(enabled=False))["messages"]
    assert "reasoning_content" not in silent[1]


def test_deepseek_short_of_machines_is_overloaded() -> None:
    with pytest.raises(UpstreamOverloaded):
        answer(DeepSeek, frame(content="x"), frame("insufficient_system_resource"))


def test_deepseek_has_a_switch_and_no_schemas() -> None:
    assert body(DeepSeek, thinking=ThinkingOptions(enabled=False))["thinking"] == {"type": "disabled"}
    sent = body(DeepSeek, thinking=ThinkingOptions(enabled=True, budget=20_000))
    assert (sent["thinking"], sent["reasoning_effort"]) == ({"type": "enabled"}, "xhigh")
    wanted = ResponseFormat("json_schema", {"type": "object"})
    assert body(DeepSeek, response_format=wanted)["response_format"] == {"type": "json_object"}


# OpenRouter


def test_openrouter_steers_thinking_by_an_object() -> None:
    def reasoning(**asked: Any) -> Any:
        return body(OpenRouter, thinking=ThinkingOptions(**asked)).get("reasoning")

    assert reasoning() is None
    assert reasoning(enabled=True) == {"enabled": True}
    assert reasoning(enabled=False) == {"enabled": False}
    assert reasoning(effort="high") == {"effort": "high"}
    assert reasoning(enabled=True, budget=4000) == {"max_tokens": 4000}


def test_openrouter_carries_marks_of_what_to_cache() -> None:
    marked = Message("user", (TextPart("a", {"type": "ephemeral"}), TextPart("b")))
    assert body(OpenRouter, messages=(marked,))["messages"][0]["content"] == [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b"},
    ]


def test_a_document_by_its_address_goes_to_openrouter_only() -> None:
    reads = ModelInfo("m", "o", 0, 0, {}, abilities=frozenset({"documents"}))
    linked = (Message("user", (DocumentPart("https://d/1.pdf"),)),)
    (part,) = body(OpenRouter, reads, linked)["messages"][0]["content"]
    assert part["file"]["file_data"] == "https://d/1.pdf"
    assert body(OpenAI, reads, linked)["messages"][0]["content"].startswith("[A document")


def test_a_failure_within_an_answer_of_openrouter_is_one() -> None:
    failed = {**frame("error"), "error": {"code": 429, "message": "slow down"}}
    with pytest.raises(UpstreamRateLimited):
        answer(OpenRouter, frame(content="x"), failed)


# Any


def test_a_server_that_refuses_stream_options_is_asked_once_more_without() -> None:
    provider = OpenAICompatible("p", "https://host/v1", FakeClock())
    request = ChatRequest("m", (HI,), Native("openai_chat", {}))
    refused = refusal(OpenAICompatible, 400, {"error": {"message": "Unknown field: stream_options"}})
    again = provider.second_try(request, refused)
    assert again is not None
    assert again.omit == {"stream_options"}
    assert provider.second_try(again, refused) is None
    assert provider.second_try(request, refusal(OpenAICompatible, 400, {"error": {"message": "bad"}})) is None


def test_no_key_means_no_authorization() -> None:
    request = ChatRequest("m", (HI,), Native("openai_chat", {"messages": []}))
    built = OpenAICompatible("p", "https://host/v1", FakeClock(), {"X-Team": "a"}).build(
        request, Target("p", "m", THINKS), Credential("p", ""), "req-1"
    )
    assert "Authorization" not in built.headers
    assert built.headers["X-Team"] == "a"


def test_a_key_of_the_callers_own_goes_on_untouched() -> None:
    request = ChatRequest("m", (HI,), Native("openai_chat", {"messages": []}))
    own = Credential("p", "s", headers={"Authorization": "Bearer  odd"})
    built = OpenAICompatible("p", "https://host/v1", FakeClock()).build(request, Target("p", "m", THINKS), own, "req-1")
    assert built.headers["Authorization"] == "Bearer  odd"
    assert "odd" not in repr(built)
    assert "odd" not in repr(own)


def test_texts_come_out_of_every_one_of_them() -> None:
    for kind in (OpenAI, Groq, Grok, DeepSeek, OpenRouter, OpenAICompatible):
        assert answer(kind, frame(content="Hi"), frame("stop"), DONE)[0] == TextDelta("Hi")


def test_parameters_of_another_dialect_are_dropped_by_name() -> None:
    extra = {"context_management": {"edits": []}, "mcp_servers": [1]}
    foreign = ChatRequest("m", (HI,), Native("anthropic_messages", {}), extra=extra)
    sent = upstream(OpenAICompatible, foreign)
    assert extra.keys().isdisjoint(loads(sent.body))
    assert sent.dropped == ("context_management", "mcp_servers")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (ThinkingOptions(enabled=True, budget=31_999), "high"),
        (ThinkingOptions(effort="max"), "high"),
        (ThinkingOptions(effort="minimal"), "low"),
        (ThinkingOptions(enabled=False), None),
    ],
)
def test_a_model_nobody_knows_is_told_what_every_server_understands(asked: ThinkingOptions, sent: str | None) -> None:
    unknown = Route("p", "openai-compatible", abilities=frozenset({"thinking"}), thinking="effort").unknown("m").info
    assert body(OpenAICompatible, unknown, thinking=asked).get("reasoning_effort") == sent


def test_the_mark_of_a_tools_result_is_kept_where_marks_are_known() -> None:
    mark: CacheMark = {"type": "ephemeral"}
    call = Message("assistant", tool_calls=(ToolCall("c", "f", "{}"),))
    result = Message("tool", (TextPart("r", cache=mark),), tool_call_id="c")
    told = body(OpenRouter, messages=(HI, call, result))["messages"][-1]["content"]
    assert [part.get("cache_control") for part in told] == [{"type": "ephemeral"}]


def test_who_asks_is_said_in_what_others_take() -> None:
    assert len(body(OpenAICompatible, user="u" * 155)["user"]) == 64
