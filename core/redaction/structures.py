"""Walks through JSON values."""

import re
from collections.abc import Callable
from typing import Any

SECRET_NAME = re.compile(
    r"(?:^|_)(?:authorization|cookie|password|passwd|secret|bearer|api_?key|access_key|private_key|access_token)$"
)
DEEPEST = 100
TAKEN_OUT = "[secret]"


def rewritten(value: Any, text: Callable[[str], str], depth: int = 0) -> Any:
    """The same value with every text as `text` makes it; what lies deeper than anybody writes is cut off."""
    if isinstance(value, str):
        return text(value)
    if depth >= DEEPEST:
        return "[too deep]"
    if isinstance(value, dict):
        return {text(str(key)): _under(str(key), entry, text, depth) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rewritten(entry, text, depth + 1) for entry in value]
    return value


def _under(name: str, value: Any, text: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str) and value and SECRET_NAME.search(name.lower().replace("-", "_")):
        return TAKEN_OUT
    return rewritten(value, text, depth + 1)
