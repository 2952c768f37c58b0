"""Counts what was refused ahead of the limits against the address that it came from."""

from flask import Request, Response

from core.errors import GatewayError
from middleware.base import Next, context_of
from services.allowance_headers import allowance_headers
from services.limits import LimitService


class UnknownCallers:
    """Whoever tries keys has as many tries as an address has requests, on whatever route.

    From then on every key is answered alike, the right one too, which is counted against the same address. A known
    caller whose role is not enough is counted as ever. What is left is told on these answers as well.
    """

    def __init__(self, limits: LimitService) -> None:
        self._limits = limits

    def __call__(self, request: Request, proceed: Next) -> Response:
        context = context_of(request)
        try:
            return proceed(request)
        except GatewayError:
            if context.past_limits:
                raise
            standing = self._limits.count(context.caller, context.client_ip, known=context.caller is not None)
            context.headers.update(allowance_headers("requests", standing.requests))
            context.headers.update(allowance_headers("tokens", standing.tokens))
            if standing.refusal is not None:
                raise standing.refusal from None
            raise
