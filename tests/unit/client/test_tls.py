"""Over TLS, where a socket's bytes and what is in them are two things, everything ends in time as well."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

from client import GatewayClient, RetryPolicy, StreamBroken, TimedOut, Unreachable
from tests.unit.client.gateways_kit import HI
from tests.upstreams.openai_answers import openai_stream

CERTIFICATE = Path(__file__).parents[1] / "core" / "loopback.pem"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
DROP = 0.03  # seconds
LONGEST = 6.0
ONCE = RetryPolicy(attempts=1)


def read_request(connection: ssl.SSLSocket) -> None:
    """Take the whole request: closing on unread bytes would reset the connection, and the answer with it."""
    with connection.makefile("rb") as reader:
        lines = list(takewhile(lambda line: line.strip(), reader))
        length = next(line for line in lines if line.lower().startswith(b"content-length:"))
        reader.read(int(length.partition(b":")[2]))


@contextmanager
def gateway(begins: bytes, drops: bytes) -> Iterator[str]:
    """Answers one request with `begins` at once, and with `drops` again and again until the client has left."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.settimeout(LONGEST)
                read_request(secured)
                secured.sendall(begins)
                over = time.monotonic() + LONGEST
                while drops and time.monotonic() < over:
                    secured.sendall(drops)
                    threading.Event().wait(DROP)
        except OSError:
            pass

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(2 * LONGEST)


@pytest.mark.parametrize(
    ("begins", "drops"),
    [(HEAD, b"X-A: b\r\n"), (HEAD + b"\r\n", b": keep-alive\n\n"), (HEAD + b"Content-Length: 99999\r\n\r\n", b" ")],
    ids=["headers", "comments", "body"],
)
@pytest.mark.parametrize("how", ["chat", "stream"])
def test_what_comes_in_drops_does_not_outlast_the_call(how: str, begins: bytes, drops: bytes) -> None:
    with gateway(begins, drops) as url, GatewayClient(url, timeout=0.4, retry=ONCE, verify=str(CERTIFICATE)) as client:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            getattr(client, how)(HI)
        assert time.monotonic() - began < LONGEST / 2


def test_a_stream_is_read_and_its_end_noticed() -> None:
    with (
        gateway(HEAD + b"\r\n" + b"".join(openai_stream("hello"))[:-20], b"") as url,
        GatewayClient(url, verify=str(CERTIFICATE)) as client,
        client.stream(HI) as stream,
    ):
        with pytest.raises(StreamBroken):
            list(stream)
        assert stream.reply.text == "hello"


def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    with gateway(HEAD, b"") as url, GatewayClient(url, retry=ONCE) as client, pytest.raises(Unreachable):
        client.chat(HI)
