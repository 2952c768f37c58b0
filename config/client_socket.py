"""A client's connection: with cheaper writes, and a watch over how its requests come in."""

import time
from errno import EPIPE
from typing import Any

from gevent import socket
from gunicorn.http.errors import LimitRequestHeaders

MAX_HEAD_BYTES = 65_536
"""What the head of a request may have in all; what comes with it of the body is no more than one read, 8 KB."""


class RequestWait:
    """The wait for a request, as a context.

    `since` is the monotonic time at which it began, or at which the first byte of the request came (`begun`); None
    outside of it. `first` is True until a request has come whole.
    """

    __slots__ = ("begun", "first", "head_bytes", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        self.begun = False
        self.first = True
        self.head_bytes = 0

    def __enter__(self) -> None:
        self.since, self.begun, self.head_bytes = time.monotonic(), False, 0

    def __exit__(self, *_: object) -> None:
        self.since, self.first = None, False

    def heard(self, size: int) -> None:
        """So many bytes of the request have come. Raises LimitRequestHeaders when it is too much for a head."""
        if not self.begun:
            self.since, self.begun = time.monotonic(), True
        self.head_bytes += size
        if self.head_bytes > MAX_HEAD_BYTES:
            raise LimitRequestHeaders(f"more than {MAX_HEAD_BYTES} bytes")


class ClientSocket(socket.socket):  # type: ignore[misc] # gevent leaves it untyped
    """A gevent socket that hands small writes to the kernel with one call: gevent's own asks for the buffer size first,
    at every write."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.wait = RequestWait()

    def recv(self, *args: Any) -> bytes:
        """What has come."""
        data: bytes = super().recv(*args)
        if self.wait.since is not None and data:
            self.wait.heard(len(data))
        return data

    def has_news(self) -> bool:
        """Whether something has come that was not read yet: bytes, or the client's end."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def end_reading(self, farewell: bytes = b"") -> None:
        """Let whoever reads here see the end once what has come is read; says `farewell` if the client takes it now."""
        try:
            if farewell:
                self._sock.send(farewell)
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            return

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of `data`; waits only if the kernel does not take it at once."""
        try:
            sent = self._sock.send(data, flags)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:], flags)

    def _send_rest(self, data: memoryview, flags: int) -> None:
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            # A client that takes nothing is gone; gunicorn would log any other error with its traceback.
            raise BrokenPipeError(EPIPE, "the client takes no more") from error
