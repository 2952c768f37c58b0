"""A rough count of tokens, by words and signs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.codec import dumps

_PIECE = re.compile(r"\s*(?:[A-Za-z0-9_]{1,12}|\S)|\s+")
IMAGE_TOKENS = 256
_TURN_TOKENS = 3


def pieces(text: str) -> list[str]:
    """Cut `text` into pieces of about one token each; joined they are `text` again."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """The number of pieces of `text`."""
    return len(pieces(text))


def count_message(message: Mapping[str, Any]) -> int:
    """The tokens of one message as it came over the wire: a fixed number for the turn and for each image."""
    content = message.get("content")
    total = _TURN_TOKENS + sum(_count_part(part) for part in (content if isinstance(content, list) else [content]))
    if calls := message.get("tool_calls"):
        total += count(dumps(calls).decode())
    return total


def count_tools(tools: Sequence[Any]) -> int:
    """The tokens that the definitions of the tools take."""
    return count(dumps(tools).decode()) if tools else 0


def _count_part(part: Any) -> int:
    if isinstance(part, str):
        return count(part)
    if not isinstance(part, dict):
        return 0
    text = part.get("text")
    return count(text) if isinstance(text, str) else IMAGE_TOKENS
