"""Where an HTTP/1.1 body ends, without any I/O (RFC 9112, section 6)."""

from collections.abc import Callable, Mapping
from typing import Protocol

from core.errors import UpstreamBroken

MAX_CHUNK_HEADER = 8 * 1024
HEX_DIGITS = b"0123456789abcdefABCDEF"
BODILESS = (204, 304)


class Framing(Protocol):
    """Takes the bytes of a connection and gives back those of the body.

    `surplus` is set when more came than the body: what the connection brings next would be taken for something else.
    """

    complete: bool
    surplus: bool

    def feed(self, data: bytes) -> bytes:
        """The body bytes in `data`; sets `complete` at the end of the body. Raises UpstreamBroken for nonsense."""

    def end(self) -> None:
        """The connection was closed. Raises UpstreamBroken when the body was not whole."""


def framing_of(status: int, headers: Mapping[str, str]) -> Framing:
    """The framing that a response of this status announces in its headers, whose names are in lower case."""
    if status < 200 or status in BODILESS:
        return Sized(0)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return Chunked()
    # A length may be given more than once, as long as it is the same one.
    lengths = {length.strip() for length in headers.get("content-length", "").split(",")}
    length = lengths.pop()
    return Sized(int(length)) if length.isdecimal() and not lengths else UntilClosed()


class UntilClosed:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        self.complete = self.surplus = False

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
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        """What belongs to the body."""
        body = data[: self._left]
        self.surplus = len(data) > self._left
        self._left -= len(body)
        self.complete = self._left == 0
        return body

    def end(self) -> None:
        """Too early: a whole body is noticed in `feed`."""
        raise UpstreamBroken("the provider's answer was cut off")


class Chunked:
    """A body in chunks, cut anywhere."""

    def __init__(self) -> None:
        self.complete = self.surplus = False
        self._rest = b""
        self._left = 0
        # Not bound to this object, as that would make a cycle for the garbage collector of every answer.
        self._take_line: Callable[[Chunked, bytes], None] = Chunked._begin_chunk

    def feed(self, data: bytes) -> bytes:
        """The contents of the chunks in `data`."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.complete:
            if self._left:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
            else:
                position = self._line(data, position)
        self.surplus = position < len(data)
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
        self._take_line(self, data[position:end].removesuffix(b"\r"))
        return end + 1

    def _begin_chunk(self, line: bytes) -> None:
        digits = line.partition(b";")[0].strip(b" \t")
        if not digits or digits.strip(HEX_DIGITS):
            raise UpstreamBroken("the provider sent a broken chunk")
        self._left = int(digits, 16)
        self._take_line = Chunked._end_chunk if self._left else Chunked._end_body

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise UpstreamBroken("the provider sent a broken chunk")
        self._take_line = Chunked._begin_chunk

    def _end_body(self, line: bytes) -> None:
        # Lines with something in them are trailers, which mean nothing here.
        self.complete = not line
