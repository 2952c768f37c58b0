"""A whole answer as OpenAI's `chat.completion`."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from api.dialects.openai_chat import OpenAIChat
from api.dialects.openai_chat_answer import usage_object
from schemas.answer import Answer
from schemas.chat import ToolCall
from schemas.codec import loads
from schemas.usage import Usage
from tests.unit.api.reply_kit import reply_to

CALLS = (ToolCall("call_a", "f", '{"a":1}'), ToolCall("call_b", "g", "{}"))
FUNCTIONS = [{"name": "f"}]


def rendered(answer: Answer, **fields: Any) -> Any:
    body = loads(OpenAIChat().render(answer, reply_to(**fields)))
    ChatCompletion.model_validate(body, strict=True)
    return body


def test_a_text_is_answered_in_full_form() -> None:
    assert rendered(Answer("Hi 世界", "", (), "stop", None)) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_200_000,
        "model": 'glm-"4.6"',
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi 世界", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
    }


def test_tool_calls_stand_in_order_and_content_is_null_without_text() -> None:
    choice = rendered(Answer("", "", CALLS, "tool_calls", None))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_text_beside_tool_calls_is_kept() -> None:
    assert rendered(Answer("Wait.", "", CALLS, "tool_calls", None))["choices"][0]["message"]["content"] == "Wait."


def test_an_answer_without_a_word_is_an_empty_string() -> None:
    assert rendered(Answer("", "", (), "length", None))["choices"][0]["message"]["content"] == ""


def test_shown_reasoning_has_its_own_field() -> None:
    message = rendered(Answer("x", "hm", (), "stop", None))["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    assert "reasoning_content" not in rendered(Answer("x", "", (), "stop", None))["choices"][0]["message"]


def test_a_client_of_old_gets_its_function_call() -> None:
    choice = rendered(Answer("", "", CALLS, "tool_calls", None), functions=FUNCTIONS)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize("functions", [None, []])
def test_a_client_that_sends_no_functions_of_old_gets_tool_calls(functions: Any) -> None:
    choice = rendered(Answer("", "", CALLS, "tool_calls", None), functions=functions)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert len(choice["message"]["tool_calls"]) == 2


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_other_reasons_are_told_as_they_are(reason: Any) -> None:
    assert rendered(Answer("x", "", (), reason, None), functions=FUNCTIONS)["choices"][0]["finish_reason"] == reason


def test_the_prompt_includes_what_was_cached() -> None:
    usage = Usage(uncached=5, read=4, write_short=2, write_long=1, output=7, reasoning=3)
    assert usage_object(usage) == {
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }


def test_what_was_not_reported_is_left_out_and_zero_is_not() -> None:
    assert usage_object(Usage(uncached=5, output=7)) == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    assert usage_object(Usage(uncached=5, read=0, output=7))["prompt_tokens_details"] == {"cached_tokens": 0}


def test_an_estimate_says_so() -> None:
    assert usage_object(Usage(uncached=5, output=7, source="estimated"))["estimated"] is True
    assert rendered(Answer("x", "", (), "stop", Usage(uncached=5, output=7, source="estimated")))["usage"]["estimated"]
