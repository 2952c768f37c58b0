"""Numbers that JSON can spell and nothing can keep: `1e400` is read as infinity, which JSON has no word for."""

from collections.abc import Mapping
from math import isfinite
from typing import Any


def infinite_at(value: Any) -> str | None:
    """Where in a parsed JSON value a number is that is not finite, as in `items[0].size`; None when all are."""
    open_values = [("", value)]
    while open_values:
        path, one = open_values.pop()
        if isinstance(one, float):
            if not isfinite(one):
                return path
        elif isinstance(one, Mapping):
            open_values.extend((f"{path}.{name}" if path else str(name), inner) for name, inner in one.items())
        elif isinstance(one, list):
            open_values.extend((f"{path}[{at}]", inner) for at, inner in enumerate(one))
    return None
