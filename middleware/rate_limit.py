"""Bounds how many requests a caller may send."""

from flask import Request, Response

from middleware.base import Next, context_of
from services.limits import LimitService, Standing


class RateLimit:
    """Counts before the request is handled, and tells what is left in OpenAI's headers on every answer it counted."""

    def __init__(self, limits: LimitService, exempt: frozenset[str]) -> None:
        self._limits = limits
        self._exempt = exempt

    def __call__(self, request: Request, proceed: Next) -> Response:
        if not self._limits.active or request.endpoint in self._exempt:
            return proceed(request)
        context = context_of(request)
        standing = self._limits.count(context.caller, context.client_ip)
        context.headers.update(_headers(standing))
        if standing.refusal is not None:
            raise standing.refusal
        return proceed(request)


def _headers(standing: Standing) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(standing.limit),
        "x-ratelimit-remaining-requests": str(standing.remaining),
        "x-ratelimit-reset-requests": go_duration(standing.reset_after),
    }


def go_duration(seconds: float) -> str:
    """Seconds as OpenAI writes them: `17ms`, `8.64s`, `6m0s`, `1h0m0s`."""
    if round(seconds * 1000) < 1000:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.2f}".rstrip("0").rstrip(".") + "s"
    if not hours:
        return f"{minutes}m{text}" if minutes else text
    return f"{hours}h{minutes}m{text}"
