"""Bounds how many values a body may hold: thirty megabytes of brackets would be a gigabyte of objects."""

import re

from core.errors import BodyTooLarge

MAX_GROUPS = 100_000
"""Objects and arrays. A conversation of a thousand turns with tools has some ten thousand; each costs some 30 µs."""
MAX_VALUES = 1_000_000
"""Values of every kind, such as the numbers of tokens to embed."""
LONG_TEXT = 4096
"""What shorter texts take is not worth looking at."""
ESCAPE = b"\\u"
_FOUR_BYTES = tuple(bytes((lead,)) for lead in range(0xF0, 0xF5))
_LATIN_1 = bytes(range(0xC4))
"""Leading bytes of what takes one byte in memory, and all bytes that follow a leading one."""
_NO_CONTINUATION = bytes((*range(0x80), *range(0xC0, 0x100)))
_SURROGATE = re.compile(rb"\\u[dD][89abAB]")
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


def wide_bytes(body: bytes) -> int:
    """How many bytes the long texts in `body` will take, once parsed, that are not all ASCII.

    Each character of a text takes as many as its widest one: with a single emoji four. A text of ASCII alone is as long
    as what it is written as; these are held beside that.
    """
    if body.isascii() and ESCAPE not in body:
        return 0
    texts = (token for token in _TOKEN.finditer(body) if token.end() - token.start() > LONG_TEXT)
    return sum(_parsed_bytes(token[0]) for token in texts)


def _parsed_bytes(text: bytes) -> int:
    escapes = text.count(ESCAPE)
    if text.isascii() and not escapes:
        return 0
    if any(lead in text for lead in _FOUR_BYTES) or (escapes and _SURROGATE.search(text)):
        width = 4
    else:
        width = 2 if escapes or text.translate(None, _LATIN_1) else 1
    characters = len(text) - len(text.translate(None, _NO_CONTINUATION)) - 5 * escapes
    return width * characters
