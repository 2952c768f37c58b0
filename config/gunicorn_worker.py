"""The worker, which is gunicorn's for gevent with cheaper sockets."""

from errno import EPIPE
from typing import Any

from gevent import socket
from gunicorn.workers.ggevent import GeventWorker


class QuickSocket(socket.socket):  # type: ignore[misc] # gevent leaves it untyped
    """A gevent socket that hands small writes to the kernel with one call: gevent's own asks for the buffer size first,
    at every write."""

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


class Worker(GeventWorker):  # type: ignore[misc] # gunicorn ships no types
    """One process, a greenlet a connection."""

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection until it ends."""
        if type(client) is socket.socket:
            client = QuickSocket(client.family, client.type, client.proto, fileno=client.detach())
        super().handle(listener, client, addr)
