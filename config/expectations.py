"""What a setting allows, in words, read from the schema of the settings."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Node: TypeAlias = Mapping[str, Any]
Location: TypeAlias = Iterable[str | int]

_FORMATS = {"path": "a path", "date": "a day such as 2026-11-21"}


def find(schema: Node, location: Location) -> Node:
    """Return the schema of the setting at `location`; an empty one when there is no such setting."""
    node = _resolve(schema, schema)
    for name in location:
        if isinstance(name, int):
            inner = node.get("items", {})
        else:
            inner = node.get("properties", {}).get(name) or node.get("additionalProperties") or {}
        node = _resolve(inner, schema) if isinstance(inner, Mapping) else {}
    return node


def expectation(node: Node) -> str:
    """Describe what `node` allows, to follow "is not": "a whole number between 0 and 65535"."""
    if "enum" in node:
        return "one of " + ", ".join(map(str, node["enum"]))
    if "const" in node:
        return str(node["const"])
    match node.get("type"):
        case "integer":
            return "a whole number" + _bounds(node)
        case "number":
            return "a number" + _bounds(node)
        case "boolean":
            return "true or false"
        case "string":
            return _text(node)
        case "array":
            return "a list"
        case "object" if "properties" in node:
            return "a group with the settings " + ", ".join(node["properties"])
        case "object":
            return "a mapping of names to settings"
    return "an allowed value"


def is_secret(node: Node) -> bool:
    """Say whether the setting holds a secret, a list of them, or a mapping to them."""
    inner = (node, node.get("items"), node.get("additionalProperties"))
    return any(isinstance(one, Mapping) and one.get("format") == "password" for one in inner)


def _resolve(node: Node, schema: Node) -> Node:
    choices = [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        node = choices[0]
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _bounds(node: Node) -> str:
    least, most, above = node.get("minimum"), node.get("maximum"), node.get("exclusiveMinimum")
    if least is not None and most is not None:
        return f" between {least:g} and {most:g}"
    parts = [f"above {above:g}"] if above is not None else []
    parts += [f"at least {least:g}"] if least is not None else []
    parts += [f"at most {most:g}"] if most is not None else []
    return f", {' and '.join(parts)}" if parts else ""


def _text(node: Node) -> str:
    if node.get("format") in _FORMATS:
        return _FORMATS[node["format"]]
    if node.get("pattern") == "^https?://":
        return "a URL that starts with http:// or https://"
    if "maxLength" in node:
        return f"a text of {node.get('minLength', 0)} to {node['maxLength']} characters"
    return "a text that is not empty" if node.get("minLength") else "a text"
