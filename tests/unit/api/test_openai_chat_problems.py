"""What a failed validation tells the client."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.problems import invalid_request
from core.errors import InvalidRequest
from schemas.openai_chat import ChatCompletionRequest


class WireThing(BaseModel):
    name: str


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: str = Field("x", min_length=2)
    choice: Literal["a", "b"] = "a"
    either: int | WireThing | list[WireThing] = 1
    things: list[WireThing] = Field([], max_length=2)


def problem(**fields: Any) -> InvalidRequest:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(fields)
    return invalid_request(caught.value)


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"word": 5}, "word", "word: must be a string, not 5."),
        ({"word": None}, "word", "word: must be a string, not null."),
        ({"word": True}, "word", "word: must be a string, not true."),
        ({"word": ""}, "word", "word: must have at least 2 characters, not ''."),
        ({"word": [1]}, "word", "word: must be a string."),
        ({"color": 1}, "color", "color is not known here."),
        ({"choice": "c"}, "choice", "choice: must be 'a' or 'b', not 'c'."),
        ({"either": []}, None, None),
        ({"either": None}, "either", "either: must be an integer or an object or an array, not null."),
        ({"either": {}}, "either.name", "either.name is missing."),
        ({"either": [{"name": 1}]}, "either[0].name", "either[0].name: must be a string, not 1."),
        ({"things": [{"name": "a"}, {}]}, "things[1].name", "things[1].name is missing."),
        ({"things": [{"name": "a"}] * 3}, "things", "things: must have at most 2 items."),
    ],
)
def test_a_problem_is_told_in_the_clients_words(fields: dict[str, Any], param: str | None, message: str | None) -> None:
    if message is None:
        Sample.model_validate(fields)
        return
    error = problem(**fields)
    assert (error.param, error.message) == (param, message)


def test_the_most_exact_of_several_problems_is_told() -> None:
    assert problem(word=5, things=[{"name": 5}]).param == "things[0].name"


@pytest.mark.parametrize("value", ["x" * 10_000, 10**400])
def test_only_the_beginning_of_a_long_value_is_repeated(value: Any) -> None:
    class Strict(BaseModel):
        it: Annotated[str, Field(max_length=3)] | Literal[5]

    with pytest.raises(ValidationError) as caught:
        Strict.model_validate({"it": value})
    assert len(invalid_request(caught.value).message) < 200


def test_what_cannot_be_printed_is_shown_escaped() -> None:
    assert problem(choice="\x00\r\n").message == r"choice: must be 'a' or 'b', not '\x00\r\n'."
    assert problem(choice="\ud800").message.isascii()


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [5] * 10_000},
        {"messages": [{"role": "user", "content": [5] * 10_000}]},
        {"messages": [{"role": "assistant", "tool_calls": [5] * 10_000}]},
        {"messages": [{"role": "user", "content": "x"}], "tools": [5] * 10_000},
        {"messages": [{"role": "user", "content": "x"}], "functions": [5] * 10_000},
        {"messages": [{"role": "user", "content": "x"}], "stop": [5] * 10_000},
        {
            "messages": [{"role": "user", "content": "x"}],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [5] * 10_000}},
        },
    ],
)
def test_many_mistakes_cost_no_more_than_one(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatCompletionRequest.model_validate(body)
    assert caught.value.error_count() <= 3
