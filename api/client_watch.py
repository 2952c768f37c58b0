"""Notices that a client has gone away while it is still being answered."""

from collections.abc import Callable
from typing import Any

from gevent import get_hub
from gevent.socket import MSG_PEEK


class ClientWatch:
    """Calls `on_gone` from the event loop once the client has closed its connection.

    Watching ends when the client sends something instead (a pipelined request), as what comes after that cannot be
    seen without reading it. Does nothing without a socket, as under a test client.
    """

    def __init__(self, environ: dict[str, Any], on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._socket: Any = getattr(environ.get("gunicorn.socket"), "_sock", None)
        self._watcher: Any = None
        if self._socket is not None and self._socket.fileno() >= 0:
            self._watcher = get_hub().loop.io(self._socket.fileno(), 1)
            self._watcher.start(self._readable)

    def stop(self) -> None:
        """Watch no longer; a second call does nothing."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _readable(self) -> None:
        try:
            gone = not self._socket.recv(1, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        self.stop()
        if gone:
            self._on_gone()
