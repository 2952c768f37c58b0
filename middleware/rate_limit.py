"""Bounds how many requests a caller may send."""

from flask import Request, Response

from middleware.base import Next, context_of
from services.allowance_headers import allowance_headers
from services.limits import LimitService


class RateLimit:
    """Counts before the request is handled, and tells what is left in OpenAI's headers on every answer it counted."""

    def __init__(self, limits: LimitService, exempt: frozenset[str]) -> None:
        self._limits = limits
        self._exempt = exempt

    def __call__(self, request: Request, proceed: Next) -> Response:
        context = context_of(request)
        context.past_limits = True
        if request.endpoint in self._exempt:
            return proceed(request)
        standing = self._limits.count(context.caller, context.client_ip)
        context.headers.update(allowance_headers("requests", standing.requests))
        context.headers.update(allowance_headers("tokens", standing.tokens))
        if standing.refusal is not None:
            raise standing.refusal
        return proceed(request)
