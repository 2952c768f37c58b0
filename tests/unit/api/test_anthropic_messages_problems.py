"""What a failed validation tells the client."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.problems import invalid_request
from core.errors import InvalidRequest
from schemas.anthropic import CountTokensRequest
from tests.unit.api.anthropic_messages_kit import HI


def problem(**fields: Any) -> InvalidRequest:
    with pytest.raises(ValidationError) as caught:
        CountTokensRequest.model_validate({"messages": HI, **fields})
    assert caught.value.error_count() <= 3
    return invalid_request(caught.value)


def content(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content: must be a string or an array, not 5."),
        ({"messages": None}, "messages: must be an array, not null."),
        ({"system": {}}, "system: must be a string or an array."),
        ({"max_tokens": 1.5}, "max_tokens: must be an integer, not 1.5."),
        ({"stream": 1}, "stream: must be true or false, not 1."),
        ({"top_p": "1"}, "top_p: must be a number, not '1'."),
        ({"thinking": []}, "thinking: must be an object."),
        (content({"type": "text"}), "messages[0].content[0].text is missing."),
        (
            content({"type": "tool_use", "id": "a", "name": "", "input": {}}),
            "messages[0].content[0].name: must have at least 1 character, not ''.",
        ),
        (
            content({"type": "tool_use", "id": "a", "name": "f", "input": []}),
            "messages[0].content[0].input: must be an object.",
        ),
        (
            content({"type": "tool_result", "tool_use_id": "a", "content": 5}),
            "messages[0].content[0].content: must be a string or an array, not 5.",
        ),
        (
            content({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text"}]}),
            "messages[0].content[0].content[0].text is missing.",
        ),
        (
            {"messages": [{"role": "x" * 500, "content": ""}]},
            f"messages[0].role: must be 'user', 'assistant' or 'system', not '{'x' * 60}'.",
        ),
    ],
)
def test_a_problem_is_told_in_the_clients_words(fields: dict[str, Any], message: str) -> None:
    error = problem(**fields)
    assert error.message == message
    assert message.startswith(error.param or "?")


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [5] * 10_000},
        content(*[5] * 10_000),
        content({"type": "tool_result", "tool_use_id": "a", "content": [5] * 10_000}),
        {"system": [5] * 10_000},
        {"tools": [5] * 10_000},
        {"stop_sequences": [5] * 100},
    ],
)
def test_many_mistakes_cost_no_more_than_one(fields: dict[str, Any]) -> None:
    assert problem(**fields).message.endswith("not 5.")


def test_only_the_beginning_of_a_long_value_is_repeated() -> None:
    assert len(problem(max_tokens=10**400).message) < 200
    assert problem(system=[{"type": "text", "text": "x"}, 10**400]).param == "system[1]"
