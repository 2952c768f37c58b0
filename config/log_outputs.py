"""Where one application writes its log, opened once, whichever settings say what is written."""

from collections.abc import Callable, Mapping
from typing import Any

from config.access_log import access_writer
from config.exchange_writer import exchange_writer
from config.line_writer import LineWriter
from config.log_file import LogFile
from config.logging import configure_logging, open_sink
from config.settings import LoggingSettings

Write = Callable[[Mapping[str, Any]], None]


class LogOutputs:
    """The places are those of the first settings; levels and what is logged may be other ones each time."""

    def __init__(self, settings: LoggingSettings) -> None:
        self._settings = settings
        self._sink = open_sink(settings)
        self._access = LineWriter(self._sink)
        self._exchanges: LineWriter | None = None

    def events(self, settings: LoggingSettings) -> None:
        """Send the process's events there."""
        configure_logging(settings, self._sink)

    def access(self, settings: LoggingSettings) -> Write:
        """What takes one mapping an answer."""
        return access_writer(settings, self._access)

    def exchanges(self, settings: LoggingSettings) -> Write | None:
        """What takes one mapping for each request; None when requests are not logged."""
        if not settings.requests.enabled:
            return None
        if self._exchanges is None:
            file = self._settings.requests.file
            size = self._settings.max_bytes, self._settings.backup_count
            self._exchanges = LineWriter(self._sink if file is None else LogFile(file, *size).write)
        return exchange_writer(self._exchanges)
