"""What the cleaning of JSON Schemas for Gemini promises."""

from copy import deepcopy
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.gemini_schema import MAX_EXPANDED, clean_parameters, clean_schema
from core.providers.gemini_values import KINDS
from schemas.codec import dumps

KEYWORDS = {
    "type", "title", "description", "format", "enum", "minimum", "maximum", "items", "prefixItems", "minItems",
    "maxItems", "properties", "required", "propertyOrdering", "additionalProperties", "anyOf",
}  # fmt: skip


def prop(**schema):
    return clean_schema({"type": "object", "properties": {"p": schema}})["properties"]["p"]


def test_what_gemini_has_no_word_for_is_left_out():
    schema = {
        "$schema": "s",
        "$id": "i",
        "$comment": "c",
        "type": "object",
        "title": "T",
        "description": "D",
        "properties": {"a": {"type": "string", "default": "x", "examples": ["y"], "pattern": "z", "minLength": 1}},
        "required": ["a"],
        "additionalProperties": False,
        "not": {},
        "if": {},
        "patternProperties": {},
    }
    assert clean_schema(schema) == {
        "type": "object",
        "title": "T",
        "description": "D",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
    }


def test_properties_may_be_called_like_keywords():
    named = {"$ref": {"type": "string"}, "default": {"type": "integer"}, "examples": {}, "const": True}
    assert clean_schema({"properties": named, "required": list(named)}) == {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "default": {"type": "integer"}, "examples": {}, "const": {}},
        "required": list(named),
    }


def test_only_properties_that_are_there_are_required():
    schema = {"properties": {"a": {}}, "required": ["a", "a", "b", 5], "propertyOrdering": ["b", "a"]}
    assert clean_schema(schema) == {
        "type": "object",
        "properties": {"a": {}},
        "required": ["a"],
        "propertyOrdering": ["a"],
    }
    assert "required" not in clean_schema({"properties": {"a": {}}, "required": ["b"]})


@pytest.mark.parametrize(
    "parameters", [None, {}, {"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}]
)
def test_a_function_without_parameters_has_no_schema(parameters):
    assert clean_parameters(parameters) is None


@pytest.mark.parametrize("extra", [{"properties": {"a": {}}}, {"additionalProperties": {"type": "string"}}])
def test_a_function_with_parameters_keeps_them(extra):
    assert clean_parameters({"type": "object", **extra}) == {"type": "object", **extra}


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string", "string"]}, {"type": "string"}),
        ({"type": ["null"]}, {"type": "null"}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "file"}, {}),
        ({"type": 5}, {}),
        ({"type": [5, None, "integer"]}, {"type": "integer"}),
        (
            {"type": ["string", "array", "null"], "items": {"type": "string"}, "description": "d"},
            {
                "description": "d",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
            },
        ),
        ({"items": {}}, {"type": "array", "items": {}}),
        ({"nullable": True}, {}),
    ],
)
def test_types_are_ones_that_gemini_knows(given, cleaned):
    assert prop(**given) == cleaned


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"const": 3}, {"type": "integer", "enum": [3]}),
        ({"const": None}, {"type": "null"}),
        ({"const": True}, {"type": "boolean"}),
        ({"const": {"a": 1}}, {}),
        ({"type": "string", "enum": ["a", "a", None]}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": [1, 2.5, True]}, {"type": "string", "enum": ["1", "2.5", "true"]}),
        ({"type": "integer", "enum": [1, 2, "3", True]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "number", "enum": [1, 2.5]}, {"type": "number", "enum": [1, 2.5]}),
        ({"type": "boolean", "enum": [True]}, {"type": "boolean"}),
        ({"type": "string", "enum": []}, {"type": "string"}),
        ({"type": "string", "enum": "odd"}, {"type": "string"}),
        ({"enum": ["a", None]}, {"type": ["string", "null"], "enum": ["a"]}),
        (
            {"enum": ["a", 1]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "integer", "enum": [1]}]},
        ),
    ],
)
def test_constants_and_enums_hold_strings_or_numbers_as_their_type_says(given, cleaned):
    assert prop(**given) == cleaned


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "string", "format": "date-time"}, True),
        ({"type": "string", "format": "uri"}, False),
        ({"type": "string", "format": "int32"}, False),
        ({"type": "integer", "format": "int64"}, True),
        ({"type": "number", "format": "double"}, True),
        ({"type": "string", "format": 5}, False),
        ({"type": "string", "format": ["date"]}, False),
    ],
)
def test_only_known_formats_stay(given, kept):
    assert ("format" in prop(**given)) is kept


def test_bounds_stay_where_they_belong():
    assert prop(type="integer", minimum=1, maximum=5.5, minItems=2) == {"type": "integer", "minimum": 1, "maximum": 5.5}
    assert prop(type="array", minItems=1, maxItems="2", minimum=3) == {"type": "array", "minItems": 1}


def test_tuples_of_either_draft_keep_their_places():
    places = [{"type": "string"}, True]
    cleaned = [{"type": "string"}, {}]
    assert prop(type="array", items=places) == {"type": "array", "prefixItems": cleaned}
    assert prop(prefixItems=places, items=False) == {"type": "array", "prefixItems": cleaned}


def test_one_of_becomes_any_of_and_takes_over_the_type_of_all():
    a, b = {"properties": {"k": {"const": "a"}}}, {"properties": {"k": {"const": "b"}}, "type": "object"}
    kinds = [{"type": "object", "properties": {"k": {"type": "string", "enum": [name]}}} for name in "ab"]
    assert prop(oneOf=[a, b], type="object", description="d") == {"description": "d", "anyOf": kinds}
    assert prop(type=["integer", "null"], anyOf=[{"minimum": 3}, {"type": "integer"}]) == {
        "anyOf": [{"type": ["integer", "null"]}, {"type": "integer"}]
    }


def test_an_optional_value_keeps_its_null():
    assert prop(anyOf=[{"type": "string"}, {"type": "null"}], title="T") == {
        "title": "T",
        "anyOf": [{"type": "string"}, {"type": "null"}],
    }


def test_one_alternative_is_none():
    assert prop(anyOf=[{"type": "string", "title": "inner"}], title="outer") == {"type": "string", "title": "outer"}


def test_alternatives_that_only_narrow_a_known_structure_are_left_out():
    narrowed = {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert prop(**narrowed) == {"type": "object", "properties": {"a": {}, "b": {}}}


def test_all_of_becomes_one_schema():
    assert prop(
        description="mine",
        properties={"a": {"type": "string"}},
        required=["a"],
        allOf=[
            {"properties": {"a": {}, "b": {"type": "integer"}}, "required": ["b"], "description": "theirs"},
            {"title": "T"},
        ],
    ) == {
        "type": "object",
        "title": "T",
        "description": "mine",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    }


@pytest.mark.parametrize("home", ["$defs", "definitions"])
def test_references_are_replaced_by_what_they_refer_to(home):
    schema = {
        "properties": {
            "one": {"$ref": f"#/{home}/A~1b%20c", "description": "mine"},
            "two": {"type": "array", "items": {"$ref": f"#/{home}/A~1b%20c"}},
            "three": {"allOf": [{"$ref": f"#/{home}/A~1b%20c"}]},
        },
        home: {"A/b c": {"type": "string", "enum": ["x"], "description": "its own"}},
    }
    own = {"type": "string", "enum": ["x"], "description": "its own"}
    assert clean_schema(schema)["properties"] == {
        "one": {**own, "description": "mine"},
        "two": {"type": "array", "items": own},
        "three": own,
    }


@pytest.mark.parametrize("ref", ["#/$defs/none", "https://else/where", "other.json", "#anchor", 5, None])
def test_a_reference_to_nowhere_leaves_what_stands_beside_it(ref):
    assert prop(**{"$ref": ref, "type": "string"}) == {"type": "string"}


def test_circles_end_in_a_bare_type():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}, "all": {"$ref": "#"}}}
    schema = {"properties": {"n": {"$ref": "#/$defs/N", "description": "d"}}, "$defs": {"N": node}}
    bare = {"type": "object"}
    assert clean_schema(schema)["properties"]["n"] == {
        "type": "object",
        "description": "d",
        "properties": {"next": bare, "all": bare},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"allOf": [{"$ref": "#"}], "anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    ],
)
def test_a_circle_of_nothing_ends_too(schema):
    assert len(dumps(clean_schema(schema))) < 200


def test_definitions_that_double_do_not_explode():
    defs = {
        f"d{n}": {"type": "object", "properties": {side: {"$ref": f"#/$defs/d{n + 1}"} for side in "lr"}}
        for n in range(60)
    }
    began = process_time()
    cleaned = clean_schema({"$ref": "#/$defs/d0", "$defs": defs})
    assert process_time() - began < 2
    assert len(dumps(cleaned)) < 2 * MAX_EXPANDED


def test_many_references_to_something_large_do_not_multiply_it():
    large = {"type": "string", "enum": [f"value-{n}" for n in range(3000)], "description": "x" * 20_000}
    schema = {"properties": {f"p{n}": {"$ref": "#/$defs/L"} for n in range(3000)}, "$defs": {"L": large}}
    cleaned = clean_schema(schema)
    assert len(dumps(cleaned)) < len(dumps(schema)) + 2 * MAX_EXPANDED
    assert cleaned["properties"]["p2999"] == {"type": "string"}


@pytest.mark.parametrize("wrap", ["items", "properties", "anyOf", "allOf"])
def test_no_depth_is_too_deep(wrap):
    schema = {"type": "string"}
    for _ in range(180):
        schema = {"properties": {"p": schema}} if wrap == "properties" else {wrap: [schema] if "Of" in wrap else schema}
    assert isinstance(clean_schema(schema), dict)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4) | st.sampled_from(
        ["string", "object", "array", "null", "#", "#/$defs/a", "#/properties/a", "date"]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [*sorted(KEYWORDS), "$ref", "$defs", "allOf", "oneOf", "const", "nullable", "a", "not"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


def parts_of(schema):
    """Every schema inside a cleaned one, itself first."""
    yield schema
    inner = [*schema.get("anyOf", ()), *schema.get("prefixItems", ()), *schema.get("properties", {}).values()]
    for part in (*inner, *(schema[name] for name in ("items", "additionalProperties") if name in schema)):
        yield from parts_of(part)


@given(st.dictionaries(st.sampled_from([*sorted(KEYWORDS), "$ref", "$defs", "allOf", "oneOf"]), ANY_JSON, max_size=6))
def test_whatever_comes_in_a_schema_of_geminis_subset_comes_out_and_nothing_is_changed(schema):
    before = deepcopy(schema)
    cleaned = clean_schema(schema)
    assert dumps(schema) == dumps(before)
    for part in parts_of(cleaned):
        assert part.keys() <= KEYWORDS
        kinds = part.get("type", [])
        assert {kinds} <= KINDS if isinstance(kinds, str) else set(kinds) <= KINDS
        assert set(part.get("required", ())) <= set(part.get("properties", ()))
        assert all(isinstance(value, str | int | float) for value in part.get("enum", ()))
