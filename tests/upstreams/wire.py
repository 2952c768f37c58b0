"""HTTP/1.1 as bytes, by hand, so that a test can send what no proper server would."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from typing import Any

LAST_CHUNK = b"0\r\n\r\n"


@dataclass(eq=False)
class Request:
    """One request as it was received; header names are lower case, times are `time.monotonic()`.

    `disconnected_at` is set, and `disconnected` fires, when the client left before the script was over.
    """

    method: str
    path: str
    headers: dict[str, str]
    raw_body: bytes
    received_at: float
    disconnected_at: float | None = None
    disconnected: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def body(self) -> Any:
        """The JSON that was sent; None when there was no body."""
        return json.loads(self.raw_body) if self.raw_body else None

    @property
    def bearer(self) -> str:
        """The token of the Authorization header, empty when there is none."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Reader:
    """Takes requests out of the bytes of a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def request(self) -> tuple[str, str, dict[str, str], bytes] | None:
        """Method, path, headers and body of the next request; None when the client closed instead."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = self._chunks() if "chunked" in headers.get("transfer-encoding", "") else self._exactly(headers)
        return None if body is None else (method, path, headers, body)

    def feed(self, data: bytes) -> None:
        """Take bytes that somebody else read from the socket."""
        self._buffer += data

    def _exactly(self, headers: dict[str, str]) -> bytes | None:
        return self._take(int(headers.get("content-length", "0")))

    def _chunks(self) -> bytes | None:
        body = b""
        while (line := self._until(b"\r\n")) is not None:
            data = self._take(int(line.split(b";")[0], 16))
            if data is None or self._take(2) is None:
                return None
            if not data:
                return body
            body += data
        return None

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(mark)
        return head

    def _take(self, size: int) -> bytes | None:
        blocks, missing = [self._buffer[:size]], size - len(self._buffer)
        self._buffer = self._buffer[size:]
        while missing > 0:
            block = self._connection.recv(min(missing, 1 << 20))
            if not block:
                return None
            blocks.append(block)
            missing -= len(block)
        return b"".join(blocks)

    def _more(self) -> bool:
        block = self._connection.recv(65536)
        self._buffer += block
        return bool(block)


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The status line and the headers, with the empty line that ends them."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunked(data: bytes, sizes: Sequence[int] = (1 << 16,), last: bool = True) -> bytes:
    """`data` in chunks of the given sizes, used round and round; without the closing chunk when `last` is false."""
    frames, at = [], 0
    for size in cycle(sizes):
        if at >= len(data):
            break
        piece = data[at : at + size]
        frames.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        at += size
    return b"".join(frames) + (LAST_CHUNK if last else b"")


def cut(data: bytes, size: int) -> list[bytes]:
    """`data` in pieces of `size` bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def gzipped(data: bytes) -> bytes:
    """`data` as one gzip member."""
    return gzip.compress(data, mtime=0)


def gzipped_each(events: Iterable[bytes]) -> list[bytes]:
    """One gzip member in blocks: each can be unpacked as soon as it is there, and holds one event."""
    packer = zlib.compressobj(wbits=31)
    blocks = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
    return [*blocks, packer.flush()]
