"""Where whole requests and answers are written."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from config.line_writer import LineWriter
from config.log_file import LogFile
from config.logging import open_sink
from config.settings import LoggingSettings


def exchange_writer(settings: LoggingSettings) -> Callable[[Mapping[str, Any]], None] | None:
    """What takes one mapping for each request; None when requests are not logged. Always JSON."""
    if not settings.requests.enabled:
        return None
    file = settings.requests.file
    sink = open_sink(settings) if file is None else LogFile(file, settings.max_bytes, settings.backup_count).write
    writer = LineWriter(sink)
    return lambda line: writer.write(to_json(line, inf_nan_mode="null"))
