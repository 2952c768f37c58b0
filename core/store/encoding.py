"""Records as the bytes that a home keeps."""

from typing import Any

from pydantic_core import to_json

from core.errors import InternalError
from core.store.base import Record
from schemas.codec import loads


def encode(value: Record) -> bytes:
    """Return the record as JSON; raises ValueError for a value that JSON cannot spell."""
    # Spelled out, so that they can be refused: null would lose them without a word.
    data: bytes = to_json(value, inf_nan_mode="constants")
    if b"Infinity" in data or b"NaN" in data:
        loads(data)
    return data


def decode(kind: str, key: str, data: bytes) -> dict[str, Any]:
    """Return the record that `data` spells; raises InternalError naming the record when it is damaged."""
    try:
        value = loads(data)
    except ValueError as error:
        raise InternalError(f"the stored record {kind}/{key} cannot be read") from error
    if not isinstance(value, dict):
        raise InternalError(f"the stored record {kind}/{key} is not an object")
    return value
