"""What happens to names and ids that OpenAI's form has no room for, and to tools that it does not know."""

from dataclasses import replace
from typing import Any

import pytest

from core.providers.glm import GLM
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_names import fitting
from core.sse import Event
from schemas.chat import ChatRequest, HostedTool, Message, Native, TextPart, Tool, ToolCall, ToolChoice
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from schemas.stream import ToolCallDelta
from tests.fakes import FakeClock

LONG = "mcp__a_server_with_a_very_long_name__" + "x" * 60
OTHER = LONG[:-1] + "y"
IDENT = "toolu_" + "1" * 60
HI = Message("user", (TextPart("hi"),))
CALLED = Message("assistant", (), (ToolCall(IDENT, LONG, "{}"),))
TOLD = Message("tool", (TextPart("r"),), tool_call_id=IDENT)
SEARCH = HostedTool("web_search_20250305", {"type": "web_search_20250305", "name": "web_search"})


def chat(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest("m", messages or (HI,), Native("anthropic_messages", {}), **fields)


def sent(request: ChatRequest, kind: Any = OpenAICompatible) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body that goes upstream, and what was left out."""
    info = ModelInfo("m", "o", 0, 0, {}, abilities=frozenset({"tools"}))
    built = kind("p", "https://host/v1", FakeClock()).build(
        request, Target("p", "m", info), Credential("p", "k"), "r-1"
    )
    return dict(loads(built.body)), built.dropped


def names_heard(request: ChatRequest, *names: str) -> list[str | None]:
    """What the tools are called that an answer calls by these names."""
    calls = [
        {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": "{}"}}
        for index, name in enumerate(names)
    ]
    frames = [{"choices": [{"delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}]
    events = [*(Event(dumps(frame)) for frame in frames), Event(b"[DONE]")]
    chunks = OpenAICompatible("p", "https://host/v1", FakeClock()).decode(events, request)
    return [chunk.name for chunk in chunks if isinstance(chunk, ToolCallDelta)]


def test_what_fits_stays_the_very_same_request() -> None:
    request = chat(HI, Message("assistant", (), (ToolCall("c" * 40, "n" * 64, "{}"),)), tools=(Tool("n" * 64),))
    assert fitting(request) is request


def test_long_names_are_short_everywhere_and_differ_still() -> None:
    request = chat(HI, CALLED, TOLD, tools=(Tool(LONG), Tool(OTHER)), tool_choice=ToolChoice("named", LONG))
    body, dropped = sent(request)
    one, other = (tool["function"]["name"] for tool in body["tools"])
    assert len(one) == len(other) == 64
    assert one != other
    assert body["tool_choice"]["function"]["name"] == one
    (call,) = body["messages"][1]["tool_calls"]
    assert call["function"]["name"] == one
    assert call["id"] == body["messages"][2]["tool_call_id"]
    assert len(call["id"]) == 40
    assert (body, dropped) == (sent(request)[0], ())


def test_the_client_hears_the_names_it_gave() -> None:
    request = chat(tools=(Tool(LONG), Tool(OTHER), Tool("f")))
    names = [tool["function"]["name"] for tool in sent(request)[0]["tools"]]
    assert names_heard(request, *names, "unknown") == [LONG, OTHER, "f", "unknown"]


def test_what_openai_wrote_is_not_renamed() -> None:
    request = replace(chat(tools=(Tool(LONG),)), native=Native("openai_chat", {"messages": []}))
    assert names_heard(request, LONG) == [LONG]


def test_glm_is_sent_short_names_too() -> None:
    assert len(sent(chat(tools=(Tool(LONG),)), GLM)[0]["tools"][0]["function"]["name"]) == 64


def test_tools_that_run_at_another_provider_are_dropped_by_name() -> None:
    request = chat(tools=(SEARCH, Tool("f"), HostedTool("bash_20250124", {})), tool_choice=ToolChoice("auto"))
    body, dropped = sent(request)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert body["tool_choice"] == "auto"
    assert dropped == ("tools.web_search_20250305", "tools.bash_20250124")


@pytest.mark.parametrize(
    ("choice", "missed"),
    [
        (None, False),
        (ToolChoice("auto"), False),
        (ToolChoice("none"), False),
        (ToolChoice("required"), True),
        (ToolChoice("named", "web_search"), True),
    ],
)
def test_without_tools_nothing_is_said_of_how_to_choose_one(choice: ToolChoice | None, missed: bool) -> None:
    body, dropped = sent(chat(tools=(SEARCH,), tool_choice=choice, parallel_tool_calls=False))
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(body)
    assert dropped == ("tools.web_search_20250305", *(["tool_choice"] if missed else []))


def test_a_choice_of_a_tool_that_was_dropped_is_dropped_with_it() -> None:
    body, dropped = sent(chat(tools=(SEARCH, Tool("f")), tool_choice=ToolChoice("named", "web_search")))
    assert "tool_choice" not in body
    assert "tool_choice" in dropped
    subset = ToolChoice("auto", names=("f", "web_search"))
    allowed = sent(chat(tools=(SEARCH, Tool("f")), tool_choice=subset))[0]["tool_choice"]["allowed_tools"]
    assert [tool["function"]["name"] for tool in allowed["tools"]] == ["f"]
