"""Requests written by hand, for what no client library would send."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.codec import loads
from tests.gateway import Gateway

PATIENCE = 30.0


@dataclass(frozen=True)
class RawAnswer:
    """One answer as it came: the status, the headers (names in lower case), the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error, of which the body must consist."""
        body = loads(self.body)
        assert body["request_id"] == self.headers["x-request-id"]
        assert {"message", "type", "param", "code"} <= body["error"].keys()
        error: dict[str, Any] = body["error"]
        return error


def request(
    method: bytes = b"POST",
    path: bytes = b"/v1/chat/completions",
    headers: bytes = b"",
    body: bytes = b'{"messages":[{"role":"user","content":"Hi"}]}',
    *,
    version: bytes = b"HTTP/1.1",
    length: int | None = None,
    close: bool = True,
) -> bytes:
    """The bytes of a request; `headers` are whole lines, `length` is what Content-Length says if not the truth."""
    lines = [method + b" " + path + b" " + version, b"Host: gateway", b"Content-Type: application/json"]
    lines += [b"Content-Length: %d" % (len(body) if length is None else length)]
    lines += [b"Connection: close"] * close
    return b"\r\n".join(lines) + b"\r\n" + headers + b"\r\n" + body


def exchange(gateway: Gateway, data: bytes, *, half_close: bool = False) -> list[RawAnswer]:
    """The answers to `data` on a connection of its own, until the gateway closes it.

    `half_close` says that nothing more will be sent.
    """
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return list(_answers(b"".join(iter(lambda: connection.recv(65_536), b"")), head=data.startswith(b"HEAD")))


def _answers(data: bytes, *, head: bool) -> Iterator[RawAnswer]:
    while data:
        top, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head else int(headers["content-length"])
        yield RawAnswer(int(first.split(" ")[1]), headers, rest[:length])
        data = rest[length:]
