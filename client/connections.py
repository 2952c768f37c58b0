"""Connections whose waits have an end, however little a gateway sends at a time."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

SHORTEST = 0.001
"""Seconds; the libraries take none and fewer for a mistake."""


@contextmanager
def hard_limit(sock: socket.socket | None, seconds: float) -> Iterator[None]:
    """Raises TimeoutError when the block is not left within `seconds`, by shutting the socket down.

    A socket's own timeout begins anew with every byte, and so never ends a wait for many of them.
    """
    if sock is None:
        yield
        return
    lock, state = threading.Lock(), {"left": False, "late": False}

    def end() -> None:
        with lock:
            if not state["left"]:
                state["late"] = True
                _shut(sock)

    timer = threading.Timer(max(SHORTEST, seconds), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            state["left"] = True
        if state["late"]:
            raise TimeoutError("timed out")


def socket_of(response: requests.Response) -> socket.socket | None:
    """The socket that the body is read from; None when all of it has been read."""
    answer = getattr(response.raw, "_original_response", None)
    found = getattr(getattr(getattr(answer, "fp", None), "raw", None), "_sock", None)
    return found if isinstance(found, socket.socket) else None


class Adapter(HTTPAdapter):
    """requests' adapter; the headers of an answer must come whole within the read timeout."""

    def __init__(self, connections: int) -> None:
        super().__init__(pool_connections=100, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _shut(sock: socket.socket) -> None:
    try:
        # The plain socket's own method: that of a TLS socket would take its state from under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass  # it is closed already


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as in urllib3, whose answer is its own
        with hard_limit(self.sock, _seconds(self.timeout)):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as in urllib3, whose answer is its own
        with hard_limit(self.sock, _seconds(self.timeout)):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _seconds(timeout: Any) -> float:
    return float(timeout) if isinstance(timeout, int | float) else threading.TIMEOUT_MAX
