"""Log events made safe to write: masked, plain, in a known order."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json
from structlog.typing import EventDict, WrappedLogger

from config.masking import MASK, is_secret_name, mask_text

_FIRST = ("timestamp", "level", "event", "request_id")
_DEEPEST = 6


def clean(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Return `event` with its usual keys first, every secret masked, and values that any renderer can write."""
    ordered = {key: event[key] for key in _FIRST if key in event}
    return _clean_mapping({**ordered, **event}, _DEEPEST)


def to_json_line(_logger: WrappedLogger, _name: str, event: EventDict) -> bytes:
    """Return `event`, cleaned before, as one line of JSON."""
    return to_json(event) + b"\n"


def _clean_mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {
        _text(str(key)): MASK if is_secret_name(str(key)) and value is not None else _clean(value, depth)
        for key, value in values.items()
    }


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth:
        return _clean_mapping(value, depth - 1)
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_clean(item, depth - 1) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return _text(bytes(value).decode(errors="backslashreplace"))
    return _text(_spelled(value))


def _spelled(value: Any) -> str:
    try:
        return repr(value) if isinstance(value, (Mapping, list, tuple, set, frozenset)) else str(value)
    except Exception:  # noqa: BLE001 - a broken object must not break the log
        return f"<{type(value).__name__}>"


def _text(text: str) -> str:
    # A lone surrogate has no UTF-8 form.
    whole = text if text.isascii() else text.encode(errors="backslashreplace").decode()
    return mask_text(whole)
