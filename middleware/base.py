"""What a middleware is, and how a list of them becomes one handler."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue

from schemas.context import ENVIRON_KEY, RequestContext

Next = Callable[[Request], Response]


class Clock(Protocol):
    """Wall time and monotonic time, in seconds."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class Middleware(Protocol):
    """One concern around the handling of a request, with no knowledge of its neighbours."""

    def __call__(self, request: Request, proceed: Next) -> Response:
        """Answer the request, usually by `proceed(request)`. Raises GatewayError to refuse it."""


def compose(stack: Iterable[Middleware], innermost: Next) -> Next:
    """The handler that goes through `stack` from its first entry, which is outermost, to `innermost`."""
    handler = innermost
    for middleware in reversed(list(stack)):
        handler = partial(middleware, proceed=handler)
    return handler


class LayeredFlask(Flask):
    """Flask with a list of middlewares between routing and the views: they know the route, and see every answer."""

    def install(self, stack: Iterable[Middleware]) -> None:
        """Put `stack` around every request."""
        self._handler = compose(stack, lambda _: self.make_response(super(LayeredFlask, self).dispatch_request()))

    def dispatch_request(self) -> ResponseReturnValue:
        """Hand the current request to the stack."""
        return self._handler(request_ctx.request)


def context_of(request: Request) -> RequestContext:
    """The context that the outermost middleware has made."""
    context: RequestContext = request.environ[ENVIRON_KEY]
    return context


def endpoint_of(request: Request) -> str:
    """The route's pattern, or `other` for what has no route: a label from a known set."""
    return request.url_rule.rule if request.url_rule is not None else "other"
