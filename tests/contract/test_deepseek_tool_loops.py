"""DeepSeek gets back what it thought ahead of its tool calls, whoever asks and whatever they are shown."""

import json
from typing import Any

import pytest

from tests.clients import ANTHROPIC, OPENAI, Dialect
from tests.contract.talk_kit import Talk
from tests.integration.providers_kit import BOTH_DIALECTS, KINDS, STREAMED_OR_NOT, World
from tests.upstreams.anthropic_answers import message_body, message_stream, thinking_block, tool_block
from tests.upstreams.forms import DEEPSEEK
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.steps import Step, whole
from tests.upstreams.steps import stream as stream_of
from tests.upstreams.wire import Request

DEEP, CLAUDE = KINDS["deepseek"], KINDS["anthropic"]
CALL = ("call_00_a", "weather", '{"city":"Köln"}')
THOUGHT = "I need the weather."
MISSING = "The `reasoning_content` in the thinking mode must be passed back to the API."
WAYS = pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/chat/completions", {}),
        ("/v2/chat/completions", {}),
        ("/v1/chat/completions", {"X-Thinking": "field"}),
        ("/v1/chat/completions", {"X-Thinking": "hide"}),
    ],
    ids=["tags", "hidden", "field", "hide"],
)


def deepseek(request: Request) -> list[Step]:
    """Thinks and calls a tool until it has a result; without its reasoning it refuses."""
    calling = [message for message in request.body["messages"] if message.get("tool_calls")]
    if any(message.get("reasoning_content") is None for message in calling):
        return openai_error(400, code="invalid_request_error", message=MISSING)
    return DEEPSEEK.answer(request, "Warm.") if calling else DEEPSEEK.answer(request, "", THOUGHT, [CALL])


def reasoning_sent(world: World) -> list[Any]:
    return [message["reasoning_content"] for message in world.sent.body["messages"] if message.get("tool_calls")]


@WAYS
@STREAMED_OR_NOT
def test_an_openai_client_that_does_not_echo_the_reasoning_can_call_tools(
    world: World, path: str, headers: dict[str, str], stream: bool, request: pytest.FixtureRequest
) -> None:
    world.plays(deepseek, times=None)
    history: list[Any] = [{"role": "user", "content": f"Question of {request.node.name}"}]
    asking = {"model": DEEP.asked, "stream": stream, **OPENAI.tools("weather")}
    first = world.gateway.post(path, {**asking, "messages": history}, headers=headers)
    assert first.status_code == 200, first.text
    assert CALL[0] in first.text
    ident, name, arguments = CALL
    call = {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}
    history.append({"role": "assistant", "content": None, "tool_calls": [call]})
    history.append({"role": "tool", "tool_call_id": ident, "content": "20 degrees"})
    second = world.gateway.post(path, {**asking, "messages": history}, headers=headers)
    assert second.status_code == 200, second.text
    assert "Warm" in "".join(OPENAI.heard(second).text.split())
    assert reasoning_sent(world) == [THOUGHT]
    assert len(world.upstream.requests) == 2


@STREAMED_OR_NOT
@pytest.mark.parametrize("shown", [False, True], ids=["unasked", "asked"])
def test_an_anthropic_client_can_call_tools_whether_or_not_it_asks_for_thinking(
    world: World, stream: bool, shown: bool, request: pytest.FixtureRequest
) -> None:
    """DeepSeek thinks until it is told not to."""
    world.plays(deepseek, times=None)
    fields = ANTHROPIC.thinking() if shown else {}
    talk = Talk(world, ANTHROPIC, f"Question of {request.node.name}", stream, fields)
    heard = talk.ask(DEEP)
    assert heard.thinking == (THOUGHT if shown else "")
    assert [call[:2] for call in heard.calls] == [CALL[:2]]
    assert talk.ask(DEEP).text == "Warm."
    assert reasoning_sent(world) == [THOUGHT]


@STREAMED_OR_NOT
@BOTH_DIALECTS
def test_what_claude_thought_is_nothing_that_deepseek_is_told(
    world: World, stream: bool, dialect: Dialect, request: pytest.FixtureRequest
) -> None:
    said = (thinking_block("Claude's thought.", "EqQB/w=="), tool_block(("toolu_1", "weather", "{}")))
    streams = stream or dialect is OPENAI
    world.upstream.script(
        stream_of(message_stream(*said, stop_reason="tool_use"))
        if streams
        else whole(message_body(*said, stop_reason="tool_use"))
    )
    talk = Talk(world, dialect, f"Question of {request.node.name}", stream, dialect.thinking())
    talk.ask(CLAUDE)
    world.plays(deepseek, times=None)
    assert talk.ask(DEEP).text == "Warm."
    assert reasoning_sent(world) == [""]
    assert "Claude's thought" not in json.dumps(world.sent.body)
