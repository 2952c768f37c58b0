"""Example values fit the schema they are made for."""

from typing import Any

import pytest

from demo.schema import example, find_schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "Paris"),
        ({"enum": ["celsius", "fahrenheit"]}, "fahrenheit"),
        ({"enum": ["a1", "b1"]}, "a1"),
        ({"const": 7}, 7),
        ({"type": "integer"}, 3),
        ({"type": "number", "minimum": 10}, 10),
        ({"type": "integer", "maximum": 2}, 2),
        ({"type": "boolean"}, True),
        ({"type": ["null", "string"]}, "Paris"),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}}, [3]),
        ({"type": "array"}, []),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 3),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}, True),
        ({"properties": {"a": {"type": "boolean"}, "b": {}}, "required": ["a"]}, {"a": True}),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, {"a": True}),
    ],
)
def test_each_kind_of_schema_gets_a_value_that_fits(schema: Any, expected: Any) -> None:
    assert example(schema, "the next 3 days in Paris in Fahrenheit") == expected


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}}
    assert isinstance(example(schema, ""), dict)


def test_the_whole_text_of_the_user_never_becomes_an_argument() -> None:
    assert example({"type": "string"}, "delete everything now") == "simulated"


@pytest.mark.parametrize("text", ["no braces", "} {", "{broken", '{"a": 1}', ""])
def test_text_without_a_schema_gives_none(text: str) -> None:
    assert find_schema([text]) is None
