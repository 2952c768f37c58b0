"""JSON in and out, the one place that knows which library does it."""

import json
from typing import Any

from pydantic_core import from_json, to_json


def loads(data: bytes | str) -> Any:
    """Return the value that `data` spells; raises ValueError for broken JSON, invalid UTF-8, NaN and Infinity."""
    return from_json(data, allow_inf_nan=False, cache_strings="keys")


def dumps(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON, keys as they stand; infinity and NaN, which JSON lacks, become null."""
    return to_json(value, inf_nan_mode="null")


def distinct(value: Any) -> bytes:
    """Return bytes that stand for `value` and for no other, for digests: as `dumps`, with infinity and NaN as words."""
    return to_json(value, inf_nan_mode="constants")


def repeats(data: bytes) -> bool:
    """True when a member of the outermost object stands in it twice; `data` is known to be an object."""
    names = [name for name, _ in json.loads(data, object_pairs_hook=lambda pairs: pairs)]
    return len(set(names)) < len(names)
