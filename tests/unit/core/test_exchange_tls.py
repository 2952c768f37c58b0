"""An answer is read as it comes over TLS too, where a socket's bytes and what is in them are two things."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cancel import Cancellation
from core.errors import UpstreamTimeout, UpstreamUnreachable
from core.exchange import Exchange, Patience
from core.providers.base import UpstreamRequest
from core.transport import Transport
from tests.fakes import FakeClock

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A key and its own certificate for 127.0.0.1, good for nothing but these tests."""

PATIENCE = 10.0
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"x" * 300_000
WAITING = Patience(PATIENCE, silence=0.2, keep_alive=0.03, deadline=1e12)


class TickingClock(FakeClock):
    """A clock that goes on a little each time it is read."""

    def monotonic(self) -> float:
        self.advance(0.01)
        return super().monotonic()


class Provider:
    """Speaks TLS in a thread: answers each request with the headers, and with the body when told to go on."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.go = threading.Event()
        self.accepted = 0
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(CERTIFICATE)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/chat"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.go.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    self._serve(secured)
            except OSError:
                pass

    def _serve(self, connection: ssl.SSLSocket) -> None:
        while connection.recv(65536):
            connection.sendall(HEAD)
            self.go.wait(PATIENCE)
            connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(self.body), self.body))


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider(LONG)
    yield provider
    provider.close()


def opened(provider: Provider, transport: Transport) -> Exchange:
    exchange = transport.open(UpstreamRequest(provider.url, {}), WAITING, Cancellation())
    for _ in exchange.opening():
        pass
    return exchange


def test_a_body_that_comes_after_its_headers_is_waited_for_and_its_connection_serves_again(provider: Provider) -> None:
    transport = Transport(TickingClock(), verify=str(CERTIFICATE))
    for _ in range(2):
        provider.go.clear()
        exchange = opened(provider, transport)
        blocks = exchange.blocks()
        assert next(blocks) == b"", "nothing has come yet"
        provider.go.set()
        assert b"".join(blocks) == LONG
        exchange.close()
    transport.close()
    assert provider.accepted == 1


def test_a_silent_body_is_silent_for_too_long_in_the_end(provider: Provider) -> None:
    transport = Transport(TickingClock(), verify=str(CERTIFICATE))
    exchange = opened(provider, transport)
    with pytest.raises(UpstreamTimeout):
        list(exchange.blocks())
    exchange.close()
    transport.close()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(provider: Provider) -> None:
    transport = Transport(TickingClock())
    with pytest.raises(UpstreamUnreachable, match="no trustworthy TLS"):
        opened(provider, transport)
    transport.close()
