"""The single acts an upstream's script is made of."""

import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.upstreams.wire import LAST_CHUNK, Request, chunked, cut, head

SSE = {"Content-Type": "text/event-stream; charset=utf-8"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


class ClientGone(Exception):
    """The client closed its side before the script was over; the rest of the script is not played."""


class Exchange(Protocol):
    """One request that is being answered: what a step may do."""

    request: Request
    chunked: bool
    keep_alive: bool

    def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises ClientGone."""

    def hold(self, gate: str) -> None:
        """Wait for a release of the gate. Raises ClientGone."""

    def wait(self, seconds: float | None) -> None:
        """Wait that long, for ever if None, while the client is there. Raises ClientGone."""

    def drop(self) -> None:
        """Close the socket now."""

    @property
    def socket(self) -> socket.socket:
        """The client's socket."""


class Step(Protocol):
    """One act."""

    def play(self, exchange: Exchange) -> None:
        """Do it."""


@dataclass(frozen=True)
class Head:
    """Send the status and the headers.

    The body is chunked, or has `length` bytes, or (with `until_close`) ends with the connection.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: SSE)
    length: int | None = None
    until_close: bool = False

    def play(self, exchange: Exchange) -> None:
        exchange.chunked = self.length is None and not self.until_close
        exchange.keep_alive = self.length == 0
        pairs = list(self.headers.items())
        if self.length is not None:
            pairs.append(("Content-Length", str(self.length)))
        elif self.until_close:
            pairs.append(("Connection", "close"))
        else:
            pairs.append(("Transfer-Encoding", "chunked"))
        exchange.write(head(self.status, pairs))


@dataclass(frozen=True)
class Send:
    """Send a part of the body, as one chunk when the body is chunked."""

    data: bytes

    def play(self, exchange: Exchange) -> None:
        exchange.write(chunked(self.data, [len(self.data)], last=False) if exchange.chunked else self.data)


@dataclass(frozen=True)
class Events:
    """Send events, each on its own."""

    events: Sequence[bytes]

    def play(self, exchange: Exchange) -> None:
        for event in self.events:
            Send(event).play(exchange)


@dataclass(frozen=True)
class Raw:
    """Send bytes as they are, in pieces of `size` bytes with a send for each when `size` is given."""

    data: bytes
    size: int | None = None

    def play(self, exchange: Exchange) -> None:
        for piece in cut(self.data, self.size or max(len(self.data), 1)):
            exchange.write(piece)


@dataclass(frozen=True)
class End:
    """End a chunked body properly; the connection may be used again. Other bodies end by their length."""

    def play(self, exchange: Exchange) -> None:
        if exchange.chunked:
            exchange.write(LAST_CHUNK)
            exchange.keep_alive = True


@dataclass(frozen=True)
class Reusable:
    """Keep the connection open after this answer, whose end the script has marked itself."""

    def play(self, exchange: Exchange) -> None:
        exchange.keep_alive = True


@dataclass(frozen=True)
class Hold:
    """Wait until the test releases the gate; a release that came earlier counts.

    Takes two file descriptors while it waits; for hundreds at a time AwaitClose is lighter.
    """

    gate: str = ""

    def play(self, exchange: Exchange) -> None:
        exchange.hold(self.gate)


@dataclass(frozen=True)
class AwaitClose:
    """Wait for the client to close."""

    def play(self, exchange: Exchange) -> None:
        exchange.wait(None)


@dataclass(frozen=True)
class Pause:
    """Wait in real time while the client is there; for measurements by hand, not for tests."""

    seconds: float

    def play(self, exchange: Exchange) -> None:
        exchange.wait(self.seconds)


@dataclass(frozen=True)
class Drop:
    """Close the connection here, as it is: in good order (FIN), or with a reset (RST)."""

    reset: bool = False

    def play(self, exchange: Exchange) -> None:
        if self.reset:
            exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.drop()


def stream(events: Iterable[bytes], status: int = 200, headers: Mapping[str, str] = SSE) -> list[Step]:
    """A whole answer in chunks, one an event, properly ended."""
    return [Head(status, headers), Events(list(events)), End()]


def whole(data: bytes, status: int = 200, headers: Mapping[str, str] = JSON) -> list[Step]:
    """A whole answer with its length."""
    return [Head(status, headers, length=len(data)), Raw(data), Reusable()]


def in_pieces(data: bytes, size: int, headers: Mapping[str, str] = SSE, sizes: Sequence[int] = (7,)) -> list[Step]:
    """A body in chunks of `sizes`, put on the wire `size` bytes at a time: cuts fall inside chunks and their CRLFs."""
    return [Head(200, headers), Raw(chunked(data, sizes), size), Reusable()]


def silent(headers: Mapping[str, str] = SSE) -> list[Step]:
    """A 200 with its headers, then nothing until the client leaves or the test releases it."""
    return [Head(200, headers), Hold(), End()]


def empty(headers: Mapping[str, str] = SSE) -> list[Step]:
    """A 200 whose body has no byte."""
    return [Head(200, headers), End()]


def html_page(status: int = 200, text: str = "Checking your browser") -> list[Step]:
    """What a web front puts in the way."""
    return whole(f"<!DOCTYPE html><html><body><h1>{text}</h1></body></html>".encode(), status, HTML)


def without_last_chunk(events: Iterable[bytes]) -> list[Step]:
    """A chunked answer whose connection closes before the body was ended."""
    return [Head(), Events(list(events)), Drop()]
