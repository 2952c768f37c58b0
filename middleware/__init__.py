"""The middlewares, in one list from outermost to innermost."""

from collections.abc import Callable, Sequence
from typing import Any

from middleware.access_log import AccessLog
from middleware.auth import Auth
from middleware.base import Middleware
from middleware.body_limit import BodyLimit
from middleware.errors import Errors, Shape
from middleware.exchange_log import RequestLog
from middleware.in_flight import UnderWay
from middleware.metrics import RequestMetrics
from middleware.rate_limit import RateLimit
from middleware.request_context import RequestContexts
from middleware.tracing import RequestTraces
from middleware.unknown_callers import UnknownCallers
from middleware.validation import Validation
from services import Services
from services.roles import UNLIMITED

BODY_PATIENCE = 30.0
"""Seconds to wait for more of a request's body."""
REFUSED_BODY_PATIENCE = 2.0
"""The same for a body that is refused and only read so that the client sees the answer."""


def stack(
    services: Services, shapes: Sequence[Shape], write_access: Callable[[dict[str, Any]], None]
) -> list[Middleware]:
    """STACK. What refuses stands inside `Errors`, which renders it; what counts and logs stands outside and sees it."""
    settings, clock = services.settings.server, services.clock
    return [
        UnderWay(services.in_flight),
        RequestContexts(clock, settings.trusted_proxies),
        RequestTraces(services.tracing, UNLIMITED, follow=services.settings.telemetry.follow),
        AccessLog(write_access, clock),
        RequestLog(services.exchanges),
        RequestMetrics(services.telemetry, clock),
        Errors(shapes),
        UnknownCallers(services.limits),
        BodyLimit(settings.max_body_bytes, REFUSED_BODY_PATIENCE),
        Auth(services.access, passes_keys=any(p.auth == "passthrough" for p in services.settings.providers.values())),
        RateLimit(services.limits, UNLIMITED),
        Validation(services.base.bodies, BODY_PATIENCE, settings.body_timeout, settings.max_body_bytes),
    ]
