"""Where the access log's lines go, and what they look like there."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from config.line_writer import LineWriter
from config.logging import is_json
from config.plain_text import one_line
from config.settings import LoggingSettings

LEVELS = {"info": 20, "warning": 30, "error": 40}
LEADING = ("timestamp", "level", "event", "method", "endpoint", "status", "ms")


def access_writer(settings: LoggingSettings, lines: LineWriter) -> Callable[[Mapping[str, Any]], None]:
    """What takes one mapping an answer for `lines`; those below the configured level are left out."""
    lowest = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}[settings.level]
    render = to_json if is_json(settings) else _console

    def write(line: Mapping[str, Any]) -> None:
        if LEVELS.get(line["level"], 20) >= lowest:
            lines.write(render(line))

    return write


def _console(line: Mapping[str, Any]) -> bytes:
    head = f"{line['timestamp'][:23]} [{line['level']:<7}] {line['method']} {line['endpoint']} {line['status']}"
    rest = " ".join(f"{key}={value}" for key, value in line.items() if key not in LEADING)
    return one_line(f"{head} {line['ms']}ms {rest}").encode()
