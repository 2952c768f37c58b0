"""Finds images and files in a block, whose length says nothing of how many tokens they are."""

from typing import Any

MEDIA_CHARACTERS = 5_000
"""About as many as the text that costs what one image does."""
_LOOKED_AT = 1_000


def surplus(block: Any) -> int:
    """By how many characters the media in a block are longer than they count; 0 for anything but an object."""
    return _surplus(block) if isinstance(block, dict) and block.get("type") != "text" else 0


def _surplus(value: Any) -> int:
    if isinstance(value, str):
        return len(value) - MEDIA_CHARACTERS if len(value) > MEDIA_CHARACTERS and _is_encoded(value) else 0
    if isinstance(value, dict):
        return sum(map(_surplus, value.values()))
    return sum(map(_surplus, value)) if isinstance(value, list) else 0


def _is_encoded(text: str) -> bool:
    """True for base64: nobody writes a thousand characters of ASCII without a blank."""
    beginning = text[:_LOOKED_AT]
    return beginning.isascii() and len(beginning.split()) == 1
