"""What a JSON Schema says of a value's type, and of the scalars it may be, in the words Gemini takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.providers.foreign_json import items
from schemas.codec import dumps

Wire = dict[str, Any]

KINDS = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
NUMBERS = frozenset({"number", "integer"})
FORMATS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"date-time", "date", "time"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}


def kinds_of(node: Wire) -> list[str]:
    """The types a value may have, in the order they are named; inferred where none is. OpenAPI writes them large."""
    given = node.get("type")
    named = [kind.lower() for kind in (given if isinstance(given, list) else [given]) if isinstance(kind, str)]
    kinds = [kind for kind in dict.fromkeys(named) if kind in KINDS] or _inferred(node)
    return [*kinds, "null"] if kinds and node.get("nullable") is True and "null" not in kinds else kinds


def _inferred(node: Wire) -> list[str]:
    if "properties" in node or isinstance(node.get("additionalProperties"), dict):
        return ["object"]
    if "items" in node or "prefixItems" in node:
        return ["array"]
    return list(dict.fromkeys(kind for kind in map(_kind_of, _allowed(node)) if kind))


def _allowed(node: Wire) -> Sequence[Any]:
    return [node["const"]] if "const" in node else items(node.get("enum"))


def _kind_of(value: Any) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "integer" if isinstance(value, int) else "number" if isinstance(value, float) else None


def add_scalar(wire: Wire, kind: str, kinds: Sequence[str], node: Wire) -> None:
    """Add to `wire` what `node` says of a scalar of type `kind`, which is one of its `kinds`."""
    if isinstance(node.get("format"), str) and node["format"] in FORMATS.get(kind, ()):
        wire["format"] = node["format"]
    if kind in NUMBERS:
        copy_numbers(wire, node, ("minimum", "maximum"))
    values = [_valid(value, kind, kinds) for value in _allowed(node)]
    if values := list(dict.fromkeys(value for value in values if value is not None)):
        wire["enum"] = values


def _valid(value: Any, kind: str, kinds: Sequence[str]) -> str | int | float | None:
    """`value` as an enum of that type may hold it: strings for strings, numbers for numbers, None for neither."""
    if kind == "string" and isinstance(value, str):
        return value
    found = _kind_of(value)
    if kind in NUMBERS and isinstance(value, int | float) and found in NUMBERS:
        return value
    scalar = found == "boolean" or found in NUMBERS
    return dumps(value).decode() if kind == "string" and scalar and found not in kinds else None


def copy_numbers(wire: Wire, node: Wire, names: Sequence[str]) -> None:
    """Add to `wire` those of `names` that are numbers in `node`."""
    wire.update({name: node[name] for name in names if _kind_of(node.get(name)) in NUMBERS})
