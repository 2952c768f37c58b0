"""Where an HTTP/1.1 body ends, without any I/O (RFC 9112, section 6)."""

from collections.abc import Mapping
from typing import Protocol

from core.errors import UpstreamBroken

MAX_CHUNK_HEADER = 8 * 1024


class Framing(Protocol):
    """Takes the bytes of a connection and gives back those of the body."""

    complete: bool

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`; sets `complete` at the end of the body. Raises UpstreamBroken for nonsense."""

    def end(self) -> None:
        """The connection was closed. Raises UpstreamBroken when the body was not whole."""


def framing_of(headers: Mapping[str, str]) -> Framing:
    """The framing that these response headers (names in lower case) announce."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return Chunked()
    length = headers.get("content-length", "")
    return Sized(int(length)) if length.isdecimal() else UntilClosed()


class UntilClosed:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """All of it is body."""
        return data

    def end(self) -> None:
        """This is how it ends."""


class Sized:
    """A body of announced length."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = length == 0

    def feed(self, data: bytes) -> bytes:
        """What belongs to the body."""
        body = data[: self._left]
        self._left -= len(body)
        self.complete = self._left == 0
        return body

    def end(self) -> None:
        """Too early: a whole body is noticed in `feed`."""
        raise UpstreamBroken("the provider's answer was cut off")


class Chunked:
    """A body in chunks, cut anywhere."""

    def __init__(self) -> None:
        self.complete = False
        self._rest = b""
        self._left = 0
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        """The contents of the chunks in `data`."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.complete:
            if self._left > 2:
                piece = data[position : position + self._left - 2]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
            elif self._left:
                skipped = min(self._left, len(data) - position)
                position += skipped
                self._left -= skipped
            else:
                position = self._line(data, position)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        """Too early: the last chunk is noticed in `feed`."""
        raise UpstreamBroken("the provider's answer was cut off")

    def _line(self, data: bytes, position: int) -> int:
        end = data.find(b"\n", position)
        if end < 0:
            self._rest = data[position:]
            if len(self._rest) > MAX_CHUNK_HEADER:
                raise UpstreamBroken("the provider sent a broken chunk")
            return len(data)
        line = data[position:end].strip()
        if self._in_trailer:
            self.complete = not line
        else:
            self._begin_chunk(line)
        return end + 1

    def _begin_chunk(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise UpstreamBroken("the provider sent a broken chunk") from None
        if size < 0:
            raise UpstreamBroken("the provider sent a broken chunk")
        self._in_trailer = size == 0
        # The line break after the contents is counted with them.
        self._left = size + 2 if size else 0
