"""Example values for a JSON Schema, made from what the user said."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.codec import loads

_QUOTED = re.compile(r"[\"“'‘「]([^\"“”'‘’「」\n]{1,200})[\"”'’」]")
_PLACE = re.compile(r"\b(?:in|for|at|of|to|about)\s+([A-Z][\w-]*(?:\s[A-Z][\w-]*)*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DEPTH = 8


def example(schema: Any, said: str) -> Any:
    """A value that fits the usual schemas: what the user quoted, a place, or a number where one was said.

    Never the user's whole text, so that no client runs a sentence as a command. Patterns and formats are not obeyed.
    """
    return _value(schema, said, schema, 0)


def find_schema(texts: Sequence[str]) -> Mapping[str, Any] | None:
    """The first JSON Schema of an object that stands in one of `texts`, or None."""
    for text in texts:
        start, end = text.find("{"), text.rfind("}")
        if start < 0 or end < start:
            continue
        try:
            value = loads(text[start : end + 1])
        except ValueError:
            continue
        if isinstance(value, dict) and "properties" in value:
            return value
    return None


def _value(schema: Any, said: str, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    if "$ref" in schema:
        return _value(_resolve(root, str(schema["$ref"])), said, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        return next((choice for choice in choices if str(choice).lower() in said.lower()), choices[0])
    for word in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(word):
            usable = [option for option in options if option != {"type": "null"}]
            return _value(usable[0], said, root, depth + 1) if usable else None
    return _typed(schema, said, root, depth)


def _typed(schema: Mapping[str, Any], said: str, root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((option for option in kind if option != "null"), "null")
    match kind:
        case "object":
            properties = schema.get("properties") or {}
            wanted = schema.get("required") or properties
            return {name: _value(properties.get(name, {}), said, root, depth + 1) for name in wanted}
        case "array":
            return [_value(schema["items"], said, root, depth + 1)] if schema.get("items") else []
        case "string":
            return _string(said)
        case "integer":
            return int(_number(schema, said))
        case "number":
            return _number(schema, said)
        case "boolean":
            return True
    return None


def _string(said: str) -> str:
    found = _QUOTED.search(said) or _PLACE.search(said)
    return found.group(1) if found else "simulated"


def _number(schema: Mapping[str, Any], said: str) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    found = _NUMBER.search(said)
    value = float(found.group()) if found else 1.0
    value = value if low is None else max(value, float(low))
    return value if high is None else min(value, float(high))


def _resolve(root: Any, ref: str) -> Any:
    value = root
    for step in ref.removeprefix("#/").split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    return value
