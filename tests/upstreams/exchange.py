"""A request that is being answered on a real socket."""

import select
import socket
import time

from tests.upstreams.gates import Gates
from tests.upstreams.steps import ClientGone
from tests.upstreams.wire import Reader, Request


class LiveExchange:
    """One request that is being answered on a socket: what the steps of a script act upon."""

    def __init__(self, request: Request, connection: socket.socket, reader: Reader, gates: Gates) -> None:
        self.request = request
        self.socket = connection
        self.chunked = False
        self.keep_alive = False
        self.dropped = False
        self._reader = reader
        self._gates = gates

    def write(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ClientGone from error

    def hold(self, gate: str) -> None:
        ticket = self._gates.enter(gate)
        if ticket is None:
            return
        try:
            self._watch(None, ticket.signal)
        finally:
            self._gates.leave(ticket)

    def wait(self, seconds: float | None) -> None:
        self._watch(None if seconds is None else time.monotonic() + seconds, None)

    def drop(self) -> None:
        self.dropped = True

    def _watch(self, deadline: float | None, signal: socket.socket | None) -> None:
        """Wait for the deadline or the signal, taking in what the client sends. Raises ClientGone."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        if signal is not None:
            poll.register(signal, select.POLLIN)
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
            ready = {number for number, _ in poll.poll(left)}
            if self.socket.fileno() in ready:
                self._take_in()
            if not ready or (signal is not None and signal.fileno() in ready):
                return

    def _take_in(self) -> None:
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            raise ClientGone from error
        if not data:
            raise ClientGone
        self._reader.feed(data)
