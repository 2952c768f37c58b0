"""What whole requests and answers look like where they are written."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from config.line_writer import LineWriter


def exchange_writer(lines: LineWriter) -> Callable[[Mapping[str, Any]], None]:
    """What takes one mapping for each request. Always JSON."""
    return lambda line: lines.write(to_json(line, inf_nan_mode="null"))
