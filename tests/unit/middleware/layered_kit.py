"""A two-line application around the middlewares that are tested."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from flask import Request, Response
from werkzeug.test import TestResponse

from core.errors import GatewayError
from middleware.base import LayeredFlask, Middleware
from middleware.errors import Errors
from middleware.request_context import RequestContexts
from schemas.codec import dumps
from tests.fakes import FakeClock

View = Callable[..., Any]


def render(error: GatewayError, request_id: str) -> bytes:
    """An error as JSON."""
    return dumps({"code": error.code, "message": error.message, "request_id": request_id})


@dataclass(frozen=True)
class FakeShape:
    """A shape for every request unless told otherwise."""

    body: Callable[[GatewayError, str], bytes]
    fits: Callable[[Request], bool] = lambda _: True
    status: Callable[[GatewayError], int] = lambda error: error.status
    id_header: str | None = None


SHAPE = FakeShape(render)


class Layers:
    """`stack` between the request's context and one view, at `/thing/<name>` for GET and POST."""

    def __init__(
        self, *stack: Middleware, view: View | None = None, trusted_proxies: int = 0, errors: bool = True
    ) -> None:
        self.clock = FakeClock()
        self.app = LayeredFlask("layered")
        self.app.testing = True
        self.app.add_url_rule("/thing/<name>", "thing", view or (lambda name: Response(name)), methods=["GET", "POST"])
        rendering = [Errors((SHAPE,))] if errors else []
        self.app.install([RequestContexts(self.clock, trusted_proxies), *rendering, *stack])

    def ask(self, path: str = "/thing/a", method: str = "GET", **options: Any) -> TestResponse:
        """The answer, whose body has not been read when `buffered` is false."""
        return self.app.test_client().open(path, method=method, **options)


class Body:
    """A body as a server hands it in: `step` bytes at a time unless asked for all of it, and a stall at `stalls_at`."""

    def __init__(self, data: bytes, step: int = 40, stalls_at: int | None = None) -> None:
        self._data, self._step, self._stalls_at = BytesIO(data), step, stalls_at
        self.tell = self._data.tell

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(self._step), b""))
        if self._stalls_at is not None and self.tell() >= self._stalls_at:
            raise TimeoutError
        return self._data.read(min(size, self._step))


class Socket:
    """A connection that keeps the time-outs it was given."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def gettimeout(self) -> float | None:
        return 7.0

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts.append(seconds)
