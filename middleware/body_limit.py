"""Refuses bodies that are too large."""

from typing import IO

from flask import Request, Response
from gevent import Timeout

from core.errors import BodyTooLarge
from middleware.base import Next

BLOCK_BYTES = 65_536
MAX_DRAINED_BYTES = 256 * 1024 * 1024
MAX_DRAIN_SECONDS = 60.0


class BodyLimit:
    """Refuses by the announced length at once, and bounds what may be read of a body without one.

    `patience` bounds, in seconds, each wait for more of a body that is refused.
    """

    def __init__(self, max_bytes: int, patience: float) -> None:
        self._max_bytes = max_bytes
        self._patience = patience

    def __call__(self, request: Request, proceed: Next) -> Response:
        body, length = request.environ["wsgi.input"], request.content_length or 0
        if length > self._max_bytes:
            self._drain_announced(request, min(length, MAX_DRAINED_BYTES))
            raise BodyTooLarge(f"The body has {length} bytes; at most {self._max_bytes} are taken.")
        request.environ["wsgi.input"] = _Bounded(body, self._max_bytes)
        return proceed(request)

    def _drain_announced(self, request: Request, length: int) -> None:
        socket = request.environ.get("gunicorn.socket")
        usual = socket.gettimeout() if socket is not None else None
        if socket is not None:
            socket.settimeout(self._patience)
        with Timeout(MAX_DRAIN_SECONDS, exception=False):
            _drain(request.environ["wsgi.input"], length)
        if socket is not None:
            socket.settimeout(usual)


class _Bounded:
    """A body that may be read to its end, or up to a limit, where it raises BodyTooLarge."""

    def __init__(self, body: IO[bytes], max_bytes: int) -> None:
        self._body = body
        self._max_bytes = max_bytes
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The whole body; `size` bytes of it at most unless negative."""
        read = bytearray()
        while (size < 0 or len(read) < size) and (
            block := self._body.read(BLOCK_BYTES if size < 0 else size - len(read))
        ):
            read += block
            self._read += len(block)
            if self._read > self._max_bytes:
                _drain(self._body, MAX_DRAINED_BYTES)
                raise BodyTooLarge(f"The body is larger than {self._max_bytes} bytes.")
        return bytes(read)


def _drain(body: IO[bytes], length: int) -> None:
    """Read what the client is sending: one that still writes would see a broken connection and not our answer."""
    try:
        while length > 0 and (block := body.read(min(BLOCK_BYTES, length))):
            length -= len(block)
    except OSError:
        return
