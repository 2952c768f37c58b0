"""A whole answer as Anthropic's `message`."""

from typing import Any

import pytest

from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.anthropic_messages_answer import arguments_object, usage_object
from schemas.answer import Answer
from schemas.chat import UNSIGNED, ThinkingBlock, ToolCall
from schemas.codec import loads
from schemas.stream import FinishReason
from schemas.usage import Usage
from tests.unit.api.anthropic_messages_kit import OMIT, THINK, reply_to

USAGE = Usage(uncached=5, read=40, write_short=3, write_long=4, output=9, reasoning=2)
THOUGHT = (ThinkingBlock("hm", "s1"), ThinkingBlock(data="secret"), ThinkingBlock("well"))


def rendered(answer: Answer, **fields: Any) -> Any:
    return loads(AnthropicMessages().render(answer, reply_to(**fields)))


def content(answer: Answer, **fields: Any) -> Any:
    return rendered(answer, **fields)["content"]


def test_a_text_is_answered_in_full_form() -> None:
    assert rendered(Answer("Hi 世界", "", (), "stop", USAGE)) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": 'glm-"4.6"',
        "content": [{"type": "text", "text": "Hi 世界"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            "cache_read_input_tokens": 40,
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_thinking_comes_first_then_text_then_calls() -> None:
    answer = Answer("Hi", "hmwell", (ToolCall("t1", "f", '{"a":1}'),), "tool_calls", USAGE, THOUGHT)
    assert content(answer, **THINK) == [
        {"type": "thinking", "thinking": "hm", "signature": "s1"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "well", "signature": UNSIGNED},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    ]


def test_omitted_thinking_has_its_signatures_only() -> None:
    assert content(Answer("Hi", "hmwell", (), "stop", USAGE, THOUGHT), **OMIT) == [
        {"type": "thinking", "thinking": "", "signature": "s1"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "", "signature": UNSIGNED},
        {"type": "text", "text": "Hi"},
    ]


@pytest.mark.parametrize("fields", [{}, {"thinking": {"type": "disabled"}}, {"output_config": {"effort": "high"}}])
def test_thinking_that_nobody_asked_for_is_not_shown(fields: dict[str, Any]) -> None:
    answer = Answer("Hi", "hmwell", (), "stop", USAGE, THOUGHT)
    assert content(answer, **fields) == [{"type": "text", "text": "Hi"}]


def test_calls_without_a_word_are_calls_alone() -> None:
    answer = Answer("", "", (ToolCall("t1", "f", ""), ToolCall("t2", "g", "{")), "tool_calls", USAGE)
    assert [block["input"] for block in content(answer)] == [{}, {"raw": "{"}]


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("", {}),
        (" \n", {}),
        ("{}", {}),
        ('{"a":[1]}', {"a": [1]}),
        ("[1]", {"value": [1]}),
        ("null", {"value": None}),
        ('{"a"', {"raw": '{"a"'}),
        ("NaN", {"raw": "NaN"}),
        ("[" * 5000, {"raw": "[" * 5000}),
    ],
)
def test_arguments_are_an_object_whatever_the_model_wrote(arguments: str, value: dict[str, Any]) -> None:
    assert arguments_object(arguments) == value


@pytest.mark.parametrize(
    ("reason", "sequence", "told"),
    [
        ("stop", None, ("end_turn", None)),
        ("stop", "END", ("stop_sequence", "END")),
        ("length", None, ("max_tokens", None)),
        ("tool_calls", "END", ("tool_use", None)),
        ("content_filter", None, ("refusal", None)),
    ],
)
def test_every_reason_has_its_word(reason: FinishReason, sequence: str | None, told: tuple[str, str | None]) -> None:
    body = rendered(Answer("Hi", "", (), reason, USAGE, stop_sequence=sequence))
    assert (body["stop_reason"], body["stop_sequence"]) == told


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (None, {"input_tokens": 0, "output_tokens": 0}),
        (Usage(uncached=7, output=1), {"input_tokens": 7, "output_tokens": 1}),
        (Usage(uncached=7, read=0, output=1), {"input_tokens": 7, "cache_read_input_tokens": 0, "output_tokens": 1}),
        (
            Usage(uncached=7, write_long=2, output=1),
            {
                "input_tokens": 7,
                "cache_creation_input_tokens": 2,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2},
                "output_tokens": 1,
            },
        ),
        (
            Usage(uncached=7, output=1, source="estimated"),
            {"input_tokens": 7, "output_tokens": 1, "estimated": True},
        ),
    ],
)
def test_what_was_not_reported_is_not_told(usage: Usage | None, told: dict[str, Any]) -> None:
    assert usage_object(usage) == told


def test_the_providers_own_message_goes_on_under_the_name_that_was_asked_for() -> None:
    own = {"model": "claude-x", "id": "msg_own", "content": [{"type": "new", "deep": {"b": 1, "a": 2}}], "extra": None}
    body = AnthropicMessages().render(Answer("", "", (), "stop", USAGE, native=own), reply_to())
    assert body == (
        b'{"model":"glm-\\"4.6\\"","id":"msg_own","content":[{"type":"new","deep":{"b":1,"a":2}}],"extra":null}'
    )


def test_every_answer_has_an_id_of_its_own() -> None:
    first, second = AnthropicMessages().new_id(), AnthropicMessages().new_id()
    assert first != second
    assert first.startswith("msg_")
    assert len(first) == 36
