"""Gives every request its context and its id."""

import re
from ipaddress import ip_address
from uuid import uuid4

import structlog
from flask import Request, Response

from middleware.base import Clock, Next
from schemas.context import ENVIRON_KEY, RequestContext

USABLE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)


class RequestContexts:
    """Keeps the client's `X-Request-ID` if it is usable, else makes one; sends it back, and binds it to every log line.

    The client's address is the one that the last `trusted_proxies` proxies have reported, else the peer's.
    """

    def __init__(self, clock: Clock, trusted_proxies: int) -> None:
        self._clock = clock
        self._trusted_proxies = trusted_proxies

    def __call__(self, request: Request, proceed: Next) -> Response:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if USABLE_ID.fullmatch(given) else uuid4().hex
        context = RequestContext(request_id, self._clock.monotonic(), self._client_ip(request))
        request.environ[ENVIRON_KEY] = context
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = proceed(request)
        response.headers["X-Request-ID"] = request_id
        for name, value in context.headers.items():
            response.headers[name] = value
        # The last to be called: what is tied to this answer may linger until the collector comes by.
        response.call_on_close(context.forget)
        return response

    def _client_ip(self, request: Request) -> str:
        peer: str = request.environ.get("REMOTE_ADDR", "")
        if not self._trusted_proxies:
            return peer
        reported = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        if not reported:
            return peer
        return _address(reported[-min(self._trusted_proxies, len(reported))]) or peer


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
