"""Turns every failure into an answer in the shape its client expects."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Protocol

import structlog
from flask import Request, Response
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as WrongMethod
from werkzeug.routing import RequestRedirect

from core.errors import BodyTooLarge, GatewayError, InternalError, InvalidRequest, MethodNotAllowed, NotFound
from middleware.base import Next, context_of


class Shape(Protocol):
    """A way to tell an error to those whom it fits; `id_header` is one more header for the request's id."""

    @property
    def fits(self) -> Callable[[Request], bool]: ...

    @property
    def body(self) -> Callable[[GatewayError, str], bytes]: ...

    @property
    def status(self) -> Callable[[GatewayError], int]: ...

    @property
    def id_header(self) -> str | None: ...


REPEATED = frozenset({401, 403, 408, 409, 429})


class Errors:
    """Renders in the first of `shapes` that fits the request; the last one must fit all."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes = tuple(shapes)
        self._log = structlog.get_logger(__name__)

    def __call__(self, request: Request, proceed: Next) -> Response:
        try:
            return proceed(request)
        except GatewayError as error:
            return self._answer(request, error)
        except HTTPException as error:
            return self._answer(request, _of_http(error, request))
        except Exception:  # noqa: BLE001 - the last line of defence: no traceback may reach a client
            self._log.exception("unexpected_error", path=request.path)
            return self._answer(request, InternalError("The gateway failed; its log tells why."))

    def _answer(self, request: Request, error: GatewayError) -> Response:
        context = context_of(request)
        context.error, context.limited_by = error.code or error.type, error.limited_by
        shape = next(shape for shape in self._shapes if shape.fits(request))
        body, status = shape.body(error, context.request_id), shape.status(error)
        response = Response(body, status, mimetype="application/json")
        if shape.id_header is not None:
            response.headers[shape.id_header] = context.request_id
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
        if not error.retryable and (error.status in REPEATED or error.status >= 500):
            # Clients repeat these by their number alone unless they are told not to, Claude Code a 401 for minutes.
            response.headers["x-should-retry"] = "false"
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, MethodNotAllowed) and error.allowed:
            response.headers["Allow"] = ", ".join(error.allowed)
        return response


def _of_http(error: HTTPException, request: Request) -> GatewayError:
    if isinstance(error, WrongMethod):
        allowed = tuple(sorted(error.valid_methods or ()))
        return MethodNotAllowed(f"{request.path} does not take {request.method}.", allowed=allowed)
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLarge("The request's body is too large.")
    if error.code == 404 or isinstance(error, RequestRedirect):
        # Redirects are for paths with a slash too many; behind a proxy they would lead to a wrong address.
        return NotFound(f"There is no {request.path[:200]} here.")
    return InvalidRequest(error.description or "The request cannot be understood.")
