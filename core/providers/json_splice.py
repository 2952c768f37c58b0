"""Replaces one value in the text of a JSON object, so that every other byte stays as it was written."""

import re
from collections.abc import Mapping
from typing import Any

from core.named_models import DECISIVE
from schemas.codec import dumps, loads, repeats

MOST_MENTIONS = 64
"""More places than this that look like the key are not searched: no honest body has them, and time is bounded."""

_AFTER_KEY = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")
_DECISIVE = re.compile(rb'"(?:m(?:odels?|essages|ax_tokens|ax_completion_tokens)|fallbacks)"')
_MEMBER = re.compile(
    rb'"(m(?:odels?|essages|ax_tokens|ax_completion_tokens)|fallbacks)"[ \t\r\n]*+:[ \t\r\n]*+["\[{0-9ntf-]'
)
RARE = sorted(DECISIVE - {"model", "models", "messages", "max_tokens", "max_completion_tokens", "fallbacks"})
"""What decides too, and is looked for in the text only where the body has it."""
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_END = re.compile(rb"[ \t\r\n]*+}")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def is_plain(raw: bytes, body: Mapping[str, Any]) -> bool:
    """True when of what decides who may ask it and what it costs nothing stands twice in `raw`, which spells `body`.

    Parsers differ in which of two they take, so that a provider might be asked for something else than was allowed.
    """
    # The first look at a long text is a cheap one, and nearly always the last.
    is_once = _is_once_each(_DECISIVE.findall(raw)) or _is_once_each(_MEMBER.findall(raw))
    if is_once and all(raw.count(f'"{name}"'.encode()) == 1 for name in RARE if name in body):
        spelled = b"\\u00" in raw and _ESCAPED_LETTER.search(raw) is not None
        return not (spelled and repeats(raw))
    return not repeats(raw)


def _is_once_each(names: list[bytes]) -> bool:
    return len(set(names)) == len(names)


def replaced(
    raw: bytes, body: Mapping[str, Any], key: str, value: str, added: Mapping[str, Any] | None = None
) -> bytes | None:
    """`raw`, which is `body` as text, with `value` as that of the top-level `key`, whose own value is a string.

    Members that are `added` stand ahead of all others.
    None when the text does not make plain which member that is: then `body` has to be written anew. It is plain when
    exactly one member anywhere in the text has that key and that value. The text is searched, not parsed.
    """
    current = body.get(key)
    # A key may be spelled with escapes, which the search would overlook.
    if not isinstance(current, str) or any(escape in raw for escape in _escapes(key)):
        return None
    places = [place for start in _mentions(raw, key) if (place := _value(raw, start, current)) is not None]
    if len(places) != 1:
        return None
    start, end = places[0]
    first = raw.index(b"{") + 1
    view = memoryview(raw)  # so that a long body is copied once only
    return b"".join((view[:first], _members(added or {}), view[first:start], dumps(value), view[end:]))


def inserted(raw: bytes, members: Mapping[str, Any]) -> bytes:
    """`raw`, which is an object, with these ahead of its own members."""
    first = raw.index(b"{") + 1
    text = _members(members)
    return b"".join((raw[:first], text[:-1] if _END.match(raw, first) else text, memoryview(raw)[first:]))


def _members(members: Mapping[str, Any]) -> bytes:
    return b"".join(b"%s:%s," % (dumps(name), dumps(value)) for name, value in members.items())


def _escapes(key: str) -> set[bytes]:
    """What the escape of any letter of `key` begins with."""
    return {f"\\u{ord(letter) >> 4:03x}".encode() for letter in key}


def _mentions(raw: bytes, key: str) -> list[int]:
    """Where the text goes on after each `"key"`, none at all when there are too many."""
    quoted = dumps(key)
    ends: list[int] = []
    at = raw.find(quoted)
    while at >= 0 and len(ends) <= MOST_MENTIONS:
        if raw[at - 1 : at] != b"\\":
            ends.append(at + len(quoted))
        at = raw.find(quoted, at + len(quoted))
    return ends if len(ends) <= MOST_MENTIONS else []


def _value(raw: bytes, start: int, expected: str) -> tuple[int, int] | None:
    """Where the string `expected` stands as a member's value, if that is what follows the key that ends at `start`."""
    colon = _AFTER_KEY.match(raw, start)
    found = _STRING.match(raw, colon.end()) if colon else None
    return found.span() if found and loads(found[0]) == expected else None
