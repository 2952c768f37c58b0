"""Refuses bodies that are too large."""

from flask import Request, Response

from core.errors import BodyTooLarge
from middleware.base import Next

BLOCK_BYTES = 65_536
MAX_DRAINED_BYTES = 256 * 1024 * 1024


class BodyLimit:
    """Refuses by the announced length at once, and bounds what may be read of a body without one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    def __call__(self, request: Request, proceed: Next) -> Response:
        request.max_content_length = self._max_bytes
        length = request.content_length or 0
        if length > self._max_bytes:
            _drain(request, min(length, MAX_DRAINED_BYTES))
            raise BodyTooLarge(f"The body has {length} bytes; at most {self._max_bytes} are taken.")
        return proceed(request)


def _drain(request: Request, length: int) -> None:
    """Read what the client is sending: one that still writes would see a broken connection and not our answer."""
    body = request.environ["wsgi.input"]
    try:
        while length > 0 and (block := body.read(min(BLOCK_BYTES, length))):
            length -= len(block)
    except OSError:
        return
