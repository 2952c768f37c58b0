"""One request to a provider and its answer, read from the socket as it comes."""

import ssl
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from gevent import GreenletExit, sleep, spawn

from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError, UpstreamBroken, UpstreamTimeout
from core.framing import Framing, framing_of
from core.signs import SignsOfLife
from core.waiting import Readiness, join

BLOCK_BYTES = 65_536
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
DRAIN_SECONDS = 0.02
DRAIN_RECEIPTS = 16
RECEIPTS_IN_A_ROW = 32
"""A stream that never has to wait lets the others run after so many blocks."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a connection, in silence, between two signs of life.

    `deadline` and `content_by` are monotonic times: when the whole answer must have come, and its first content.
    `signs` is the request's own; without it the exchange makes one.
    """

    connect: float
    silence: float
    keep_alive: float
    deadline: float
    content_by: float = inf
    signs: SignsOfLife | None = None

    @property
    def tick(self) -> float:
        """How often a wait looks at the clock."""
        return min(1.0, self.keep_alive, self.silence / 2)


class Exchange:
    """Use `opening`, then `status` and `headers`, then `blocks` or `read`; always `close`.

    `send` asks the provider and returns urllib3's response with its body unread; it runs in a greenlet of its own, so
    that the request can show signs of life meanwhile, and calls what it is given once all of the request is on its way:
    then the exchange is `asked`. `translate` turns a library's failure into ours.
    """

    def __init__(
        self,
        host: str,
        patience: Patience,
        cancel: Cancellation,
        clock: Clock,
        send: Callable[[Callable[[], None]], Any],
        translate: Callable[[Exception, str], GatewayError],
    ) -> None:
        self.status = 0
        self.asked = False
        self.headers: dict[str, str] = {}
        self._host = host
        self._patience = patience
        self._cancel = cancel
        self._clock = clock
        self._translate = translate
        self._response: Any = None
        self._failure: Exception | None = None
        self._socket: Any = None
        self._usual_timeout: float | None = None
        self._readiness: Any = None
        self._whole = self._closed = False
        self._in_a_row = 0
        self._is_plain = self._emptied = False
        self._recv: Any = None
        self._framing: Framing | None = None
        self._heard = clock.monotonic()
        self._deadline = min(patience.deadline, patience.content_by)
        self._signs = patience.signs or SignsOfLife(patience.keep_alive, self._heard)
        self._sending = spawn(self._run, send)

    def opening(self) -> Iterator[None]:
        """Wait for the status and the headers, yielding each time a sign of life is due. Raises UpstreamError."""
        while not join(self._sending, self._patience.tick, self._cancel):
            if self._sign_of_life_due():
                yield
        if self._failure is not None:
            raise self._translate(self._failure, self._host) from self._failure
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.headers.items()}

    def blocks(self) -> Iterator[bytes]:
        """The body as it comes, an empty block each time a sign of life is due. Raises UpstreamError."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            return self._unpacked(self._blocks())
        if encoding != "identity":
            raise UpstreamBroken(f"the provider at {self._host} uses the unknown encoding {encoding!r}")
        return self._blocks()

    def begun(self) -> None:
        """Content has come: from now on only the deadline of the whole answer holds."""
        self._deadline = self._patience.deadline

    def read(self, limit: int = 32 * 1024 * 1024) -> bytes:
        """The whole body, or what has come of it by the time a sign of life is due, or `limit` bytes of it.

        Raises UpstreamError.
        """
        body = bytearray()
        for block in self.blocks():
            body += block
            if not block or len(body) >= limit:
                break
        return bytes(body[:limit])

    def drain(self) -> None:
        """Read the little that may follow a finished answer, so that its connection can serve again.

        To be called when nothing more of the body is wanted. Waits 20 ms at a time, only while something comes, and
        not for long.
        """
        framing = self._framing
        if framing is None or self._socket is None or self._whole:
            return
        self._readiness.close()
        self._readiness = Readiness(self._socket.fileno(), DRAIN_SECONDS)
        try:
            for _ in range(DRAIN_RECEIPTS):
                if framing.complete or not self._readable():
                    break
                data = self._socket.recv(BLOCK_BYTES)
                if not data:
                    return
                framing.feed(data)
        except (OSError, GatewayError):
            return
        self._whole = framing.complete and not framing.surplus

    def close(self) -> None:
        """Give the connection back when the answer was read to its end, else close it; a second call does nothing."""
        self._closed = True
        if not self._sending.dead:
            self._sending.kill(block=False)
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None
        response, self._response = self._response, None
        if response is None:
            return
        if self._whole:
            self._give_back(response)
        else:
            response.close()
        self._socket = None

    def _note_asked(self) -> None:
        self.asked = True

    def _run(self, send: Callable[[Callable[[], None]], Any]) -> None:
        try:
            self._response = send(self._note_asked)
        except GreenletExit:
            # Kept as this greenlet's value, it would hold the frames that hold the socket.
            return
        except Exception as failure:  # noqa: BLE001 - carried over to the request's own greenlet, which translates it
            self._failure = failure
        if self._closed and self._response is not None:
            self._response.close()

    def _give_back(self, response: Any) -> None:
        if self._socket is not None:
            self._socket.settimeout(self._usual_timeout)
        if response._original_response is not None:
            response._original_response.close()
        response.release_conn()

    def _blocks(self) -> Iterator[bytes]:
        framing = self._framing = framing_of(self.status, self.headers)
        data: bytes | None = self._take_over()
        if framing.complete and data:
            framing.feed(data)
        while not framing.complete:
            if data:
                body = framing.feed(data)
                if body:
                    yield body
            elif data is None:
                yield b""
            if framing.complete:
                break
            data = self._receive()
            if data == b"":
                framing.end()
                return
        self._whole = not framing.surplus

    def _take_over(self) -> bytes:
        """Read from the socket itself from here on, as http.client cannot go on after a time-out.

        Returns what http.client has read ahead.
        """
        reader = self._response._original_response.fp
        if reader is None:
            return b""
        self._socket = reader.raw._sock
        # TLS may hold bytes that have been read from the socket already.
        self._is_plain = not hasattr(self._socket, "pending")
        self._recv = getattr(self._socket, "_sock", self._socket).recv if self._is_plain else self._socket.recv
        self._usual_timeout = self._socket.gettimeout()
        self._socket.settimeout(0.0)
        self._readiness = Readiness(self._socket.fileno(), self._patience.tick)
        try:
            return bytes(reader.peek() or b"")
        except WOULD_BLOCK:
            # Raised by TLS only: a plain socket's reader says so by an empty peek.
            return b""
        except OSError as failure:
            raise self._translate(failure, self._host) from failure

    def _receive(self) -> bytes | None:
        """The next bytes; b"" at the end of the connection, None when a sign of life is due."""
        while True:
            # Bytes may come all the time and show the client nothing.
            if self._signs.due_amid_data(self._clock.monotonic()):
                return None
            # A socket that was just emptied is not asked before it is ready, as that costs a system call for nothing.
            if self._emptied and not self._readiness.wait(self._cancel):
                if self._sign_of_life_due():
                    return None
                continue
            try:
                data: bytes = self._recv(BLOCK_BYTES)
            except WOULD_BLOCK:
                self._emptied = True
            except OSError as failure:
                raise self._translate(failure, self._host) from failure
            else:
                self._note_receipt(len(data))
                return data

    def _readable(self) -> bool:
        return bool(self._readiness.wait(self._cancel))

    def _note_receipt(self, size: int) -> None:
        self._heard = self._clock.monotonic()
        self._check_deadline(self._heard)
        self._emptied = self._is_plain and size < BLOCK_BYTES
        self._in_a_row = 0 if self._emptied else self._in_a_row + 1
        if self._in_a_row >= RECEIPTS_IN_A_ROW:
            self._in_a_row = 0
            self._let_others_run()

    def _let_others_run(self) -> None:
        self._cancel.begin_wait()
        try:
            sleep(0)
        finally:
            self._cancel.end_wait()

    def _sign_of_life_due(self) -> bool:
        now = self._clock.monotonic()
        self._check_deadline(now)
        if now - self._heard >= self._patience.silence:
            raise UpstreamTimeout(f"the provider at {self._host} was silent for too long")
        return self._signs.due(now)

    def _check_deadline(self, now: float) -> None:
        if now >= self._deadline:
            late = "the whole answer" if self._deadline == self._patience.deadline else "the first content"
            raise UpstreamTimeout(f"{late} of the provider at {self._host} took too long")

    def _unpacked(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        # 32 + 15: zlib finds out by itself whether it is gzip or zlib
        unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)
        for block in blocks:
            try:
                plain = unpacker.decompress(block)
            except zlib.error as failure:
                raise self._translate(failure, self._host) from failure
            if plain or not block:
                yield plain
