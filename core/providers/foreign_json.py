"""Reads values out of JSON that somebody else wrote, whose types are not to be relied on."""

from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 2**63 - 1


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> Sequence[Any]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else ()


def text(value: Any) -> str:
    """`value` if it is a string, else the empty one."""
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    """`value` as a whole number; None for anything that is none of 63 bits, true and false among it."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return int(value) if number else None
