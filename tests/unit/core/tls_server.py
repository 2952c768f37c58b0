"""A server on the loopback that says the same to everybody over TLS, and knows by which name it was called."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path


class TlsServer:
    """Answers in a thread, one connection at a time, and closes each."""

    def __init__(self, certificate: Path, answer: bytes) -> None:
        self.names: list[str | None] = []
        self._answer = answer
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        self._context.sni_callback = lambda _, name, __: self.names.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "TlsServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), self._context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(65_536)
                secured.sendall(self._answer)
