"""Signed thinking goes back to who signed it and to nobody else, wherever a conversation wanders."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.clients import ANTHROPIC, OPENAI, Call, Dialect
from tests.contract.talk_kit import Talk, thinking_in
from tests.integration.conftest import FAST
from tests.integration.providers_kit import BOTH_DIALECTS, KINDS, STREAMED_OR_NOT, Kind, World, running_world
from tests.upstreams.answers import glm_stream
from tests.upstreams.anthropic_answers import (
    anthropic_error,
    message_body,
    message_stream,
    redacted_block,
    text_block,
    thinking_block,
    tool_block,
)
from tests.upstreams.gemini_answers import gemini_stream
from tests.upstreams.steps import Step, stream, whole
from tests.upstreams.wire import Request

CLAUDE, GLM, ZAI, GEMINI, GPT = (KINDS[name] for name in ("anthropic", "glm", "glm-anthropic", "gemini", "openai"))
OLDER = replace(CLAUDE, model="claude-opus-4-5")
"""A model whose thinking is given a budget."""
CLAUDES, ZAIS = "EqQBClaude+/==", "zai-signature-1"
REFUSED = "messages.1.content.0: Invalid `signature` in `thinking` block"
FOREIGN = pytest.mark.parametrize("foreign", [GLM, ZAI, GEMINI, GPT], ids=str)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that may try twice."""
    providers = {CLAUDE.name: {"models": [CLAUDE.model, OLDER.model]}}
    with running_world(tmp_path_factory.mktemp("thinking"), FAST, providers) as one:
        yield one


@pytest.fixture
def talk(world: World, dialect: Dialect, stream: bool, request: pytest.FixtureRequest) -> Talk:
    """A conversation that no other test has led."""
    return Talk(world, dialect, f"Question of {request.node.name}", stream, dialect.thinking())


def call(ident: str) -> Call:
    return (ident, "weather", '{"city":"Köln"}')


def claude_says(world: World, *blocks: dict[str, Any], signature: str = CLAUDES, stop: str = "tool_use") -> None:
    """Let Claude answer with these blocks, streamed or whole as it is asked."""
    said = list(blocks)
    options = {"stop_reason": stop}

    def answer(request: Request) -> list[Step]:
        if request.body.get("stream"):
            return stream(message_stream(*said, **options))
        return whole(message_body(*said, **options))

    world.plays(answer)


def foreign_says(world: World, kind: Kind, ident: str) -> None:
    """Let another provider think, and call a tool."""
    if kind is ZAI:
        claude_says(world, thinking_block("foreign thought", ZAIS), tool_block(call(ident)))
    elif kind is GEMINI:
        events = gemini_stream("", "foreign thought", [call(ident)], signature="gemini-signature")
        world.upstream.script(stream(events))
    else:
        world.answers(kind.form, "", "foreign thought", [call(ident)])


# Back to its issuer


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_claudes_thinking_goes_back_to_claude_with_its_signature(world: World, talk: Talk) -> None:
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)
    claude_says(world, text_block("Warm."), stop="end_turn")
    assert talk.ask(CLAUDE).text == "Warm."
    assert thinking_in(talk.sent) == [("I think.", CLAUDES)]
    content = talk.sent[1]["content"]
    assert [block["type"] for block in content] == ["thinking", "tool_use"], "thinking stands before the call"


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_thinking_in_every_turn_of_a_tool_loop_stays_where_it_was(world: World, talk: Talk) -> None:
    for number in range(3):
        claude_says(world, thinking_block(f"Thought {number}.", f"sig{number}=="), tool_block(call(f"toolu_{number}")))
        talk.ask(CLAUDE)
    claude_says(world, text_block("Warm."), stop="end_turn")
    talk.ask(CLAUDE)
    assert thinking_in(talk.sent) == [(f"Thought {number}.", f"sig{number}==") for number in range(3)]
    assert [message["role"] for message in talk.sent] == ["user", *["assistant", "user"] * 3]


@STREAMED_OR_NOT
@pytest.mark.parametrize("dialect", [OPENAI], ids=["to-openai"])
def test_redacted_thinking_is_kept_for_a_client_that_cannot_carry_it(world: World, talk: Talk) -> None:
    claude_says(world, redacted_block("EmwK/w=="), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)
    claude_says(world, text_block("Warm."), stop="end_turn")
    talk.ask(CLAUDE)
    assert talk.sent[1]["content"][0] == {"type": "redacted_thinking", "data": "EmwK/w=="}


@STREAMED_OR_NOT
@BOTH_DIALECTS
def test_geminis_signature_goes_back_to_gemini(world: World, talk: Talk) -> None:
    foreign_says(world, GEMINI, "call_1")
    talk.ask(GEMINI)
    world.upstream.script(stream(gemini_stream("Warm.")))
    assert talk.ask(GEMINI).text == "Warm."
    parts = [part for content in world.sent.body["contents"] for part in content["parts"] if "functionCall" in part]
    assert [part["thoughtSignature"] for part in parts] == ["gemini-signature"]


@STREAMED_OR_NOT
@BOTH_DIALECTS
def test_glms_thinking_goes_back_to_glm_in_a_tool_loop(world: World, talk: Talk) -> None:
    foreign_says(world, GLM, "call_1")
    talk.ask(GLM)
    world.upstream.script(stream(glm_stream("Warm.")))
    assert talk.ask(GLM).text == "Warm."
    assert talk.sent[1]["reasoning_content"] == "foreign thought"


# And to nobody else


@BOTH_DIALECTS
@STREAMED_OR_NOT
@FOREIGN
def test_a_conversation_goes_from_claude_to_another_and_back(world: World, talk: Talk, foreign: Kind) -> None:
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)

    foreign_says(world, foreign, "call_2")
    talk.ask(foreign)
    assert CLAUDES not in world.sent.raw_body.decode(), "Claude's signature is for Claude"

    claude_says(world, text_block("Warm."), stop="end_turn")
    assert talk.ask(CLAUDE).text == "Warm."
    assert thinking_in(talk.sent) == [("I think.", CLAUDES)], "Claude's own thinking only"
    body = world.sent.raw_body.decode()
    assert "foreign thought" not in body
    assert "signature-1" not in body
    assert "gemini-signature" not in body
    assert "gateway:" not in body
    assert len(world.upstream.requests) == 3, "nothing was refused on the way"


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_what_is_signed_at_glms_host_goes_back_there_only(world: World, talk: Talk) -> None:
    foreign_says(world, ZAI, "toolu_1")
    talk.ask(ZAI)
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_2")))
    talk.ask(CLAUDE)
    assert thinking_in(talk.sent) == []
    claude_says(world, text_block("Warm."), stop="end_turn")
    talk.ask(ZAI)
    assert thinking_in(talk.sent) == [("foreign thought", ZAIS)]


@STREAMED_OR_NOT
@pytest.mark.parametrize("dialect", [ANTHROPIC], ids=["to-anthropic"])
def test_thinking_that_is_taken_out_is_told(world: World, talk: Talk) -> None:
    talk.fields["thinking"] = {"type": "enabled", "budget_tokens": 2048}
    foreign_says(world, ZAI, "toolu_1")
    talk.ask(ZAI)
    claude_says(world, text_block("Warm."), stop="end_turn")
    dropped = talk.ask(OLDER).headers["X-Gateway-Dropped"].split(", ")
    assert "messages.thinking" in dropped
    assert world.sent.body["thinking"] == {"type": "disabled"}, "Claude demands thinking of its own otherwise"


@STREAMED_OR_NOT
@pytest.mark.parametrize("dialect", [ANTHROPIC], ids=["to-anthropic"])
def test_a_signature_that_nobody_remembers_is_left_to_claude(world: World, talk: Talk) -> None:
    block = {"type": "thinking", "thinking": "Long ago.", "signature": "from-before-the-restart"}
    talk.history.append({"role": "assistant", "content": [block, {"type": "text", "text": "So."}]})
    talk.say("And?")
    claude_says(world, text_block("Warm."), stop="end_turn")
    talk.ask(CLAUDE)
    assert thinking_in(talk.sent) == [("Long ago.", "from-before-the-restart")]


# What Claude refuses


def refuses_thinking(request: Request) -> list[Step]:
    """Claude, whom no signature pleases."""
    if thinking_in(request.body["messages"]):
        return anthropic_error("invalid_request_error", 400, REFUSED)
    said = text_block("Warm.")
    return stream(message_stream(said)) if request.body.get("stream") else whole(message_body(said))


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_refused_thinking_is_left_out_once_and_for_all(world: World, talk: Talk) -> None:
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)
    world.plays(refuses_thinking, times=None)
    heard = talk.ask(CLAUDE)
    assert (heard.text, heard.headers["X-Gateway-Attempts"]) == ("Warm.", "2")
    assert [len(thinking_in(request.body["messages"])) for request in world.upstream.requests[1:]] == [1, 0]

    talk.say("And now?")
    assert talk.ask(CLAUDE).text == "Warm."
    assert len(world.upstream.requests) == 4, "the third request goes without at once"
    assert thinking_in(talk.sent) == []


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_another_conversation_does_not_suffer_from_a_refusal(
    world: World, talk: Talk, dialect: Dialect, stream: bool
) -> None:
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)
    world.plays(refuses_thinking, times=1)
    talk.ask(CLAUDE)
    other = Talk(world, dialect, f"Other {talk.question}", stream, dialect.thinking())
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    other.ask(CLAUDE)
    claude_says(world, text_block("Warm."), stop="end_turn")
    other.ask(CLAUDE)
    assert thinking_in(other.sent) == [("I think.", CLAUDES)]


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_a_refusal_that_goes_on_is_told_after_the_second_try(
    world: World, talk: Talk, dialect: Dialect, stream: bool
) -> None:
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)
    world.upstream.script(anthropic_error("invalid_request_error", 400, REFUSED), times=None)
    asking = {**talk.fields, **dialect.tools("weather"), "messages": talk.history}
    heard = dialect.ask(world.gateway, CLAUDE.asked, stream=stream, **asking)
    assert heard.status == 400
    assert heard.error is not None
    assert heard.error["message"] == REFUSED, "which clients match on"
    assert len(world.upstream.requests) == 3


@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_another_refusal_is_not_tried_again(world: World, talk: Talk, dialect: Dialect, stream: bool) -> None:
    claude_says(world, thinking_block("I think.", CLAUDES), tool_block(call("toolu_1")))
    talk.ask(CLAUDE)
    world.upstream.script(anthropic_error("invalid_request_error", 400, "max_tokens: too many"), times=None)
    asking = {**talk.fields, **dialect.tools("weather"), "messages": talk.history}
    assert dialect.ask(world.gateway, CLAUDE.asked, stream=stream, **asking).status == 400
    assert len(world.upstream.requests) == 2
    assert json.dumps(talk.sent).count(CLAUDES) == 1
