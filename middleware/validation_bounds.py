"""Bounds how many values a body may hold: thirty megabytes of brackets would be a gigabyte of objects."""

import re
from collections.abc import Mapping
from sys import getsizeof
from typing import Any

from core.errors import BodyTooLarge

MAX_GROUPS = 100_000
"""Objects and arrays. A conversation of a thousand turns with tools has some ten thousand; each costs some 30 µs."""
MAX_VALUES = 1_000_000
"""Values of every kind, such as the numbers of tokens to embed."""
LONG_TEXT = 4096
"""What shorter texts take is not worth looking at."""
# A text need not end: one that is looked at again from each of its quotes would take for ever.
_TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*+"?|[\[{,]', re.DOTALL)


def check_size(body: bytes) -> None:
    """Raise BodyTooLarge for JSON that holds more than that; what stands inside of texts does not count."""
    if len(body) <= MAX_GROUPS:
        return
    if body.count(b"{") + body.count(b"[") <= MAX_GROUPS and body.count(b",") <= MAX_VALUES:
        return
    groups = commas = 0
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if first == 0x2C:
            commas += 1
        elif first != 0x22:
            groups += 1
        if groups > MAX_GROUPS:
            raise BodyTooLarge(f"The body holds more than {MAX_GROUPS} objects and arrays.")
        if commas > MAX_VALUES:
            raise BodyTooLarge(f"The body holds more than {MAX_VALUES} values.")


def wide_bytes(value: Mapping[str, Any], body: bytes) -> int:
    """How many bytes the long texts in `value`, which was read from `body`, take that are not all ASCII.

    A single emoji, and each character of its text takes four bytes. They are held beside the bytes that they are
    written as, which a text of ASCII shares.
    """
    if len(body) <= LONG_TEXT or (body.isascii() and b"\\u" not in body):
        return 0
    found, left = 0, [value]
    while left:
        entry: Any = left.pop()
        if isinstance(entry, str):
            found += 0 if len(entry) < LONG_TEXT or entry.isascii() else getsizeof(entry)
        elif isinstance(entry, dict):
            left.extend(entry.values())
        elif isinstance(entry, list):
            left.extend(entry)
    return found
