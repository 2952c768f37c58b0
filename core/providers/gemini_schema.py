"""Brings a JSON Schema down to what Gemini takes (https://ai.google.dev/api/generate-content#FIELDS.response_json_schema).

What only narrows what is valid is left out where Gemini has no word for it: the model still sees every name, type and
description.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from core.providers.foreign_json import items
from core.providers.gemini_values import add_scalar, copy_numbers, kinds_of
from schemas.codec import dumps

Wire = dict[str, Any]

MAX_DEPTH = 32
MAX_EXPANDED = 256 * 1024
"""How many bytes may be written in place of references: definitions that use each other twice grow exponentially."""

STRUCTURE = frozenset({"properties", "additionalProperties", "items", "prefixItems", "enum", "anyOf"})
"""What says enough of a value by itself: alternatives beside it only narrow it, and Gemini wants those alone."""


def clean_parameters(schema: Mapping[str, Any] | None) -> Wire | None:
    """The schema of a function's parameters; None when the function has none, which Gemini wants left out."""
    wire = clean_schema(schema or {})
    return wire if wire.keys() & {"properties", "additionalProperties", "anyOf"} else None


def clean_schema(schema: Mapping[str, Any]) -> Wire:
    """A new schema of Gemini's subset; takes time linear in the size of `schema`, and changes nothing in it.

    Local references are replaced by what they refer to, `oneOf` becomes `anyOf`, `allOf` one schema, `const` an enum,
    and enums hold strings or numbers as their type says.
    """
    return _Cleaner(schema).schema(schema, 0, frozenset({"#"}))


class _Cleaner:
    """One schema on its way; `refs` are the references that are being followed, so that circles end."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MAX_EXPANDED
        self._sizes: dict[int, int] = {}

    def schema(self, node: Any, depth: int, refs: frozenset[str]) -> Wire:
        if not isinstance(node, dict) or depth > MAX_DEPTH:
            return {}
        if "$ref" in node:
            return self._referred(node, depth, refs)
        wire = self._typed(node, depth, refs)
        for member in items(node.get("allOf")):
            _merge(wire, self.schema(member, depth + 1, refs))
        members = [*items(node.get("anyOf")), *items(node.get("oneOf"))]
        if members and not wire.keys() & STRUCTURE:
            wire = _with_alternatives(wire, [self.schema(member, depth + 1, refs) for member in members])
        return wire

    def _referred(self, node: Wire, depth: int, refs: frozenset[str]) -> Wire:
        """What the reference leads to, with what stands beside it; a circle, or too much, ends in a bare type."""
        ref, beside = node["$ref"], {name: value for name, value in node.items() if name != "$ref"}
        target = self._find(ref) if isinstance(ref, str) else None
        if target is None:
            return self.schema(beside, depth, refs)
        self._left -= self._size(target)
        if ref in refs or len(refs) > MAX_DEPTH or self._left < 0:
            return {"type": (kinds_of(target) or ["object"])[0], **_described(beside)}
        return self.schema({**target, **beside}, depth, refs | {ref})

    def _size(self, target: Wire) -> int:
        if id(target) not in self._sizes:
            self._sizes[id(target)] = len(dumps(target))
        return self._sizes[id(target)]

    def _find(self, ref: str) -> Wire | None:
        """What a local JSON pointer leads to (RFC 6901)."""
        if ref != "#" and not ref.startswith("#/"):
            return None
        node: Any = self._root
        for step in unquote(ref[2:]).split("/") if ref != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, dict) else None
        return node if isinstance(node, dict) else None

    def _typed(self, node: Wire, depth: int, refs: frozenset[str]) -> Wire:
        kinds = kinds_of(node)
        wire = _described(node)
        real = [kind for kind in kinds if kind != "null"]
        if len(real) > 1:
            alternatives = [self._of_kind(kind, kinds, node, depth, refs) for kind in real]
            return {**wire, "anyOf": alternatives + ([{"type": "null"}] if "null" in kinds else [])}
        if real:
            wire.update(self._of_kind(real[0], kinds, node, depth, refs))
        if "null" in kinds:
            wire["type"] = [real[0], "null"] if real else "null"
        return wire

    def _of_kind(self, kind: str, kinds: Sequence[str], node: Wire, depth: int, refs: frozenset[str]) -> Wire:
        wire: Wire = {"type": kind}
        if kind == "object":
            self._object(wire, node, depth, refs)
        elif kind == "array":
            self._array(wire, node, depth, refs)
        else:
            add_scalar(wire, kind, kinds, node)
        return wire

    def _object(self, wire: Wire, node: Wire, depth: int, refs: frozenset[str]) -> None:
        properties = node.get("properties")
        if isinstance(properties, dict) and properties:
            wire["properties"] = {name: self.schema(value, depth + 1, refs) for name, value in properties.items()}
            for field in ("required", "propertyOrdering"):
                if names := _names(node.get(field), properties):
                    wire[field] = names
        # True and false say nothing to a model that writes what it was told of; the schema of a map's values does.
        if isinstance(node.get("additionalProperties"), dict):
            wire["additionalProperties"] = self.schema(node["additionalProperties"], depth + 1, refs)

    def _array(self, wire: Wire, node: Wire, depth: int, refs: frozenset[str]) -> None:
        rest = node.get("items")
        # A list of items meant the same before there was `prefixItems`.
        if places := items(node.get("prefixItems")) or items(rest):
            wire["prefixItems"] = [self.schema(place, depth + 1, refs) for place in places]
        if isinstance(rest, dict):
            wire["items"] = self.schema(rest, depth + 1, refs)
        copy_numbers(wire, node, ("minItems", "maxItems"))


def _described(node: Wire) -> Wire:
    return {name: node[name] for name in ("title", "description") if isinstance(node.get(name), str)}


def _names(value: Any, properties: Wire) -> list[str]:
    """The names in `value` that are properties: Gemini refuses a required one that it was not told of."""
    return list(dict.fromkeys(name for name in items(value) if isinstance(name, str) and name in properties))


def _merge(wire: Wire, other: Wire) -> None:
    """Add to `wire` what `other`, which holds as well, says beyond it."""
    for name, value in other.items():
        if name == "properties":
            wire["properties"] = {**value, **wire.get("properties", {})}
        elif name == "required":
            wire["required"] = list(dict.fromkeys([*wire.get("required", []), *value]))
        else:
            wire.setdefault(name, value)


def _with_alternatives(wire: Wire, members: list[Wire]) -> Wire:
    """`wire` as one of `members`, each of which takes over the type that was said of all."""
    kind = wire.get("type")
    alone = {name: value for name, value in wire.items() if name in ("title", "description")}
    if kind is not None:
        members = [member if member.keys() & {"type", "anyOf"} else {"type": kind, **member} for member in members]
    if len(members) == 1:
        return {**members[0], **alone}
    return {**alone, "anyOf": members}
