"""What chat.z.ai is sent."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import InvalidRequest
from core.providers.base import UpstreamRequest
from core.providers.glm_web import GLMWeb
from schemas.chat import (
    ChatRequest,
    HostedTool,
    ImagePart,
    Message,
    Native,
    OpaquePart,
    ResponseFormat,
    Sampling,
    TextPart,
    ThinkingOptions,
    Tool,
    ToolCall,
    ToolChoice,
)
from schemas.codec import loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

TOKEN = Credential("glm-web", "eyJ.secret.token")
HELLO = (Message("user", (TextPart("Grüße"),)),)
WEATHER = Tool("weather", "Says the weather", {"type": "object"}, strict=True)
NOW = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC, a Wednesday


def info(*abilities: Any, thinking: Any = "switch") -> ModelInfo:
    return ModelInfo("glm-4.6", "zai", 200_000, 4096, {}, abilities=frozenset(abilities), thinking=thinking)


def built(model: ModelInfo | None = None, messages: tuple[Message, ...] = HELLO, **fields: Any) -> UpstreamRequest:
    provider = GLMWeb("glm-web", "https://chat.z.ai/api/chat/completions", FakeClock(NOW))
    request = ChatRequest("glm-4.6", messages, Native("openai_chat", {}), **fields)
    return provider.build(request, Target("glm-web", "GLM-4-6-API-V1", model or info()), TOKEN, "req-1")


def body(*given: Any, **fields: Any) -> Mapping[str, Any]:
    wire: Mapping[str, Any] = loads(built(*given, **fields).body)
    return wire


def test_a_plain_request_is_sent_as_the_site_takes_it() -> None:
    request = built()
    assert (request.method, request.url) == ("POST", "https://chat.z.ai/api/chat/completions")
    assert request.headers == {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Origin": "https://chat.z.ai",
        "Referer": "https://chat.z.ai/",
        "X-Request-ID": "req-1",
        "Authorization": "Bearer eyJ.secret.token",
    }
    wire = loads(request.body)
    assert wire.pop("chat_id") != wire.pop("id")
    assert wire == {
        "stream": True,
        "model": "GLM-4-6-API-V1",
        "messages": [{"role": "user", "content": "Grüße"}],
        "params": {},
        "features": {
            "image_generation": False,
            "web_search": False,
            "auto_web_search": False,
            "preview_mode": True,
            "flags": [],
            "enable_thinking": True,
        },
        "background_tasks": {"title_generation": False, "tags_generation": False},
        "variables": {
            "{{CURRENT_DATETIME}}": "2026-11-18 11:06:40",
            "{{CURRENT_DATE}}": "2026-11-18",
            "{{CURRENT_TIME}}": "11:06:40",
            "{{CURRENT_WEEKDAY}}": "Wednesday",
            "{{CURRENT_TIMEZONE}}": "UTC",
        },
    }
    assert request.dropped == ()


def test_the_same_request_is_built_the_same_and_the_secret_does_not_print() -> None:
    assert built() == built()
    assert "secret" not in repr(built())


@pytest.mark.parametrize(
    ("asked", "model", "thinks"),
    [
        (ThinkingOptions(), info(), True),
        (ThinkingOptions(), info(thinking="none"), False),
        (ThinkingOptions(enabled=True), info(thinking="none"), False),
        (ThinkingOptions(enabled=False), info(), False),
        (ThinkingOptions(enabled=True, effort="none"), info(), True),
        (ThinkingOptions(effort="none"), info(), False),
        (ThinkingOptions(effort="minimal"), info(), False),
        (ThinkingOptions(effort="high"), info(), True),
    ],
)
def test_thinking_is_a_switch(asked: ThinkingOptions, model: ModelInfo, thinks: bool) -> None:
    assert body(model, thinking=asked)["features"]["enable_thinking"] is thinks


def test_given_sampling_values_go_into_params_within_the_bounds_of_the_model() -> None:
    asked = Sampling(temperature=1.7, top_p=0.5, max_tokens=10_000, stop=("x",))
    assert body(sampling=asked)["params"] == {"temperature": 1.0, "top_p": 0.5, "max_tokens": 4096}
    assert built(sampling=asked).dropped == ()


def test_the_history_of_a_tool_call_is_kept() -> None:
    history = (
        Message("system", (TextPart("a"), TextPart("b"))),
        Message("assistant", tool_calls=(ToolCall("c1", "weather", '{"a":1}'),)),
        Message("tool", (TextPart("sun"),), tool_call_id="c1"),
    )
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"a":1}'}}
    assert body(messages=history)["messages"] == [
        {"role": "system", "content": "a\nb"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "sun", "tool_call_id": "c1"},
    ]


def test_images_go_to_models_that_see_by_url() -> None:
    seen = (Message("user", (TextPart("what?"), ImagePart("https://h/a.png", "high"))),)
    assert body(info("vision"), messages=seen)["messages"][0]["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "https://h/a.png"}},
    ]


@pytest.mark.parametrize(
    ("model", "part", "reason"),
    [
        (info(), ImagePart("https://h/a.png"), "does not take images"),
        (info("vision"), ImagePart("data:image/png;base64,AA"), "uploading them is not supported"),
        (info("vision"), OpaquePart("input_audio", {}), "not 'input_audio'"),
    ],
)
def test_content_the_site_cannot_take_is_refused_by_place(model: ModelInfo, part: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refused:
        built(model, messages=(*HELLO, Message("user", (TextPart("a"), part))))
    assert refused.value.param == "messages[1].content[1]"


def test_functions_are_sent_as_they_are() -> None:
    function = {"name": "weather", "description": "Says the weather", "parameters": {"type": "object"}}
    assert body(tools=(WEATHER,))["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("choice", "sent", "dropped"),
    [
        (ToolChoice("auto"), ["weather", "time"], ()),
        (ToolChoice("none"), [], ()),
        (ToolChoice("required"), ["weather", "time"], ("tool_choice",)),
        (ToolChoice("named", "time"), ["time"], ("tool_choice",)),
        (ToolChoice("auto", names=("weather",)), ["weather"], ()),
    ],
)
def test_a_tool_choice_narrows_the_tools(choice: ToolChoice, sent: list[str], dropped: tuple[str, ...]) -> None:
    fields: dict[str, Any] = {"tools": (WEATHER, Tool("time")), "tool_choice": choice}
    assert [tool["function"]["name"] for tool in body(**fields).get("tools", [])] == sent
    assert built(**fields).dropped == dropped


@pytest.mark.parametrize(
    ("tool", "searches", "dropped"),
    [
        (HostedTool("web_search", {"type": "web_search", "web_search": {"enable": True}}), True, ()),
        (HostedTool("web_search", {"type": "web_search"}), True, ()),
        (HostedTool("web_search", {"type": "web_search", "web_search": {"enable": False}}), False, ()),
        (HostedTool("retrieval", {"type": "retrieval"}), False, ("tools.retrieval",)),
    ],
)
def test_of_the_hosted_tools_only_web_search_is_known(
    tool: HostedTool, searches: bool, dropped: tuple[str, ...]
) -> None:
    assert body(tools=(tool,))["features"]["web_search"] is searches
    assert "tools" not in body(tools=(tool,))
    assert built(tools=(tool,)).dropped == dropped


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_a_json_format_becomes_the_last_instruction(kind: Any) -> None:
    wanted = ResponseFormat(kind, schema={"required": ["a"]} if kind == "json_schema" else None)
    first, last = body(response_format=wanted)["messages"]
    assert first == {"role": "user", "content": "Grüße"}
    assert last["role"] == "system"
    assert "JSON object" in last["content"]
    assert ('{"required":["a"]}' in last["content"]) is (kind == "json_schema")
    assert built(response_format=wanted).dropped == ("response_format",)


def test_everything_the_site_does_not_take_is_named() -> None:
    asked = built(
        sampling=Sampling(seed=1, presence_penalty=0.5, frequency_penalty=-1),
        user="someone",
        parallel_tool_calls=False,
        thinking=ThinkingOptions(effort="high", clear=False),
        messages=(Message("assistant", (TextPart("a"),), name="n", reasoning="r"),),
        extra={"logprobs": True, "verbosity": "low"},
    )
    assert sorted(asked.dropped) == [
        "frequency_penalty",
        "logprobs",
        "messages.name",
        "messages.reasoning_content",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "seed",
        "thinking.clear_thinking",
        "user",
        "verbosity",
    ]


def test_values_that_ask_for_nothing_are_not_named() -> None:
    asked = built(
        sampling=Sampling(presence_penalty=0),
        parallel_tool_calls=True,
        response_format=ResponseFormat("text"),
        thinking=ThinkingOptions(effort="none"),
        extra={"n": 1, "store": False, "logit_bias": {}, "service_tier": "auto", "seed": None},
    )
    assert asked.dropped == ()


def test_the_probe_lists_models_with_the_token() -> None:
    probe = GLMWeb("glm-web", "http://127.0.0.1:9/api/chat/completions", FakeClock()).probe(TOKEN)
    assert (probe.method, probe.url, probe.body) == ("GET", "http://127.0.0.1:9/api/models", b"")
    assert probe.headers["Authorization"] == "Bearer eyJ.secret.token"
