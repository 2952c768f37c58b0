"""Walks through JSON values."""

import re
from collections.abc import Callable
from typing import Any

from core.redaction.breath import Breath
from schemas.codec import dumps, loads

SECRET_NAME = re.compile(
    r"(?:^|_)(?:authorization|cookie|password|passwd|pwd|passphrase|secret|bearer|(?:api|access|private|secret)_?key"
    r"|(?:access|refresh|auth|id|session|bearer)_?token)$"
)
TOKEN_NAME = re.compile(r"(?:^|_)token$")
"""Also what a text's pieces are called; a secret is longer and has no space."""
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
LABELS = ("name", "key", "header")
SHORTEST_TOKEN = 8
SHORTEST_NUMBER = 1_000_000
"""No personal data has fewer digits."""
DEEPEST = 100
TAKEN_OUT = "[secret]"
TOO_DEEP = "[too deep]"


def rewritten(value: Any, text: Callable[[str], str], depth: int = 0) -> Any:
    """The same value with every text as `text` makes it; what lies deeper than anybody writes is cut off.

    A text that is JSON itself, as the arguments of a tool call are, is walked through as well.
    """
    if depth >= DEEPEST:
        return TOO_DEEP
    if isinstance(value, str):
        return _of_text(value, text, depth)
    if isinstance(value, dict):
        label = next((value[one] for one in LABELS if isinstance(value.get(one), str)), "")
        return {
            text(str(key)): _under(label if key == "value" and label else str(key), entry, text, depth)
            for key, entry in value.items()
        }
    if isinstance(value, list | tuple):
        return [rewritten(entry, text, depth + 1) for entry in value]
    if isinstance(value, int) and abs(value) >= SHORTEST_NUMBER:
        shown = text(str(value))
        return value if shown == str(value) else shown
    return value


def _under(name: str, value: Any, text: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, list) and value and not any(isinstance(entry, dict | list) for entry in value):
        return [_under(name, entry, text, depth + 1) for entry in value]
    return TAKEN_OUT if _is_secret(name, value) else rewritten(value, text, depth + 1)


def _is_secret(name: str, value: Any) -> bool:
    if isinstance(value, dict | list | tuple | bool) or value in (None, ""):
        return False
    plain = HUMP.sub("_", name).lower().replace("-", "_")
    if SECRET_NAME.search(plain):
        return True
    return bool(TOKEN_NAME.search(plain)) and len(str(value)) >= SHORTEST_TOKEN and not re.search(r"\s", str(value))


def _of_text(spelled: str, text: Callable[[str], str], depth: int) -> str:
    if not spelled.lstrip().startswith(("{", "[")):
        return text(spelled)
    try:
        value = loads(spelled)
    except ValueError:
        return text(spelled)
    shown = rewritten(value, text, depth + 1)
    return spelled if shown == value else dumps(shown).decode()


def beginning(value: Any, limit: int) -> Any:
    """The same value as far as about `limit` characters go, the rest left out."""
    return _Cut(limit).of(value, 0)


class _Cut:
    def __init__(self, left: int) -> None:
        self._left = left
        self._breath = Breath()

    def of(self, value: Any, depth: int) -> Any:
        self._breath.take()
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict) and depth < DEEPEST:
            return {self._text(str(key)): self.of(entry, depth + 1) for key, entry in value.items() if self._left > 0}
        if isinstance(value, list | tuple) and depth < DEEPEST:
            return [self.of(entry, depth + 1) for entry in value if self._left > 0]
        kept = TOO_DEEP if isinstance(value, dict | list | tuple) else value
        self._left -= len(dumps(kept)) + 1
        return kept

    def _text(self, text: str) -> str:
        kept = text[: max(0, self._left)]
        self._left -= len(kept) + 3
        return kept
