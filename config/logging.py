"""Where log events go, and what they look like there."""

import logging
import os
import select
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.line_writer import Sink
from config.log_events import clean, to_json_line
from config.log_file import LogFile, write_all
from config.plain_text import one_line
from config.settings import LoggingSettings

_FOREIGN = ("gunicorn.error", "gunicorn.access", "werkzeug")
_CHATTY = ("urllib3", "asyncio", "charset_normalizer")
_STDOUT = 1
MANY_LINES = frozenset({"exception", "stack"})
"""What is shown below its line, and was made by the interpreter."""
_ATOMIC = select.PIPE_BUF


def is_json(settings: LoggingSettings) -> bool:
    """True when lines are to be JSON, as they are by default wherever nobody watches."""
    if settings.format == "auto":
        return settings.file is not None or not os.isatty(_STDOUT)
    return settings.format == "json"


def open_sink(settings: LoggingSettings) -> Sink:
    """Return what takes the bytes of whole log lines: the rotating file of `settings`, else standard output."""
    if settings.file is None:
        return write_to_stdout
    return LogFile(settings.file, settings.max_bytes, settings.backup_count).write


def configure_logging(settings: LoggingSettings, sink: Sink | None = None) -> None:
    """Send every event of this process, from structlog or from the standard library, where `settings` say.

    May be called again, as a forked worker has to: what was set up before is replaced. One event is one line of JSON,
    or one for people, coloured on a terminal only. Secrets are masked in both. `sink` is one that is open already.
    """
    level = logging.getLevelNamesMapping()[settings.level]
    output = _Output(sink or open_sink(settings))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            clean,
            to_json_line if is_json(settings) else _console(settings),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_arguments: output,
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging(level)


def configure_quietly(settings: LoggingSettings) -> None:
    """As `configure_logging`, for commands whose standard output is their answer: nothing is told without a file."""
    if settings.file is not None:
        configure_logging(settings)
    else:
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


def write_to_stdout(data: bytes) -> None:
    """Write whole lines to standard output, in pieces that a pipe with several writers keeps in one piece."""
    while data:
        end = data.rfind(b"\n", 0, _ATOMIC) + 1 or data.find(b"\n") + 1 or len(data)
        write_all(_STDOUT, data[:end])
        data = data[end:]


class _Output:
    """The logger beneath structlog's: every method takes a finished line."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def msg(self, line: bytes) -> None:
        try:
            self._sink(line)
        except OSError:
            pass  # a full disk or a closed pipe is no reason to fail a request

    debug = info = warning = error = critical = log = msg


class _IntoStructlog(logging.Handler):
    """Takes the standard library's records into structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            logger = structlog.get_logger()
            logger.log(level, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001 - a handler must not raise into the code that logs
            self.handleError(record)


def _adopt_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _IntoStructlog)]
    root.addHandler(_IntoStructlog())
    root.setLevel(level)
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _console(settings: LoggingSettings) -> Processor:
    colours = settings.file is None and os.isatty(_STDOUT)
    render: Callable[[WrappedLogger, str, EventDict], str] = structlog.dev.ConsoleRenderer(
        colors=colours, exception_formatter=structlog.dev.plain_traceback
    )

    def render_line(logger: WrappedLogger, name: str, event: EventDict) -> bytes:
        for key, value in event.items():
            if isinstance(value, str) and key not in MANY_LINES:
                event[key] = one_line(value)
        return (render(logger, name, event) + "\n").encode(errors="backslashreplace")

    return render_line
