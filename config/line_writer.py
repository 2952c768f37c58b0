"""Lines that are collected for a moment before they are written together."""

import atexit
import threading
from collections.abc import Callable
from typing import Protocol

Sink = Callable[[bytes], None]


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Make it not happen."""


Schedule = Callable[[float, Callable[[], None]], Timer]


def after(seconds: float, action: Callable[[], None]) -> Timer:
    """Run `action` once, `seconds` from now, in a thread (a greenlet where gevent has patched threads)."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


class LineWriter:
    """Collects lines and hands them to `sink` together, in order.

    That happens at the latest `delay` seconds after the first of them, as soon as they make up `limit` bytes, at
    `close`, and when the process exits. While nothing waits there is no timer. Lines that the sink refuses with an
    OSError are lost and counted in `dropped`.
    """

    def __init__(self, sink: Sink, *, delay: float = 0.2, limit: int = 65536, schedule: Schedule = after) -> None:
        self.dropped = 0
        self._sink = sink
        self._delay = delay
        self._limit = limit
        self._schedule = schedule
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._size = 0
        self._timer: Timer | None = None
        self._closed = False
        atexit.register(self.close)

    def write(self, line: bytes) -> None:
        """Take one line; its newline is added when it has none."""
        with self._lock:
            self._lines.append(line if line.endswith(b"\n") else line + b"\n")
            self._size += len(line)
            if self._closed or self._size >= self._limit:
                self._send()
            elif self._timer is None:
                self._timer = self._schedule(self._delay, self.flush)

    def flush(self) -> None:
        """Hand on what waits."""
        with self._lock:
            self._send()

    def close(self) -> None:
        """Hand on what waits; a line that still comes later is handed on at once."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            self._send()

    def _send(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if not lines:
            return
        try:
            self._sink(b"".join(lines))
        except OSError:
            self.dropped += len(lines)
