"""What follows from a failure before content: the same target again, the next one, or the end."""

from core.errors import (
    CannotCarry,
    GatewayError,
    ModelNotFound,
    UpstreamBroken,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamTokenExpired,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)

SAME_AGAIN = (UpstreamUnreachable, UpstreamServerError, UpstreamBroken, UpstreamTokenExpired)
"""Failures that may be over with the next try, for which the only credential is asked once more."""

HOST_IS_AWAY = (UpstreamUnreachable, UpstreamTimeout)

HUMAN_CHECK = "upstream_human_check"
"""The site asks for a human, whichever credential is used: asking it again with another one would be a loop."""

NEXT_TARGET = (UpstreamOverloaded, ModelNotFound, CannotCarry)
"""Failures that another credential of the same target would meet as well."""

OF_ONE_KEY = (UpstreamRateLimited, UpstreamQuotaExhausted, UpstreamUnauthorized)
"""Failures that another credential of the same target does not meet: it is worth more than most other targets."""

PASSES_SOON = (
    UpstreamUnreachable,
    UpstreamServerError,
    UpstreamBroken,
    UpstreamTokenExpired,
    UpstreamRateLimited,
    UpstreamOverloaded,
)
"""Failures that may be over in a moment. A silence is none: it has cost its time already."""


def fails_over(failure: GatewayError) -> bool:
    """True when another credential or another target may do; False when it is wrong everywhere."""
    return isinstance(failure, (ModelNotFound, CannotCarry)) or (
        isinstance(failure, UpstreamError) and failure.failover
    )


def passes_soon(failure: GatewayError) -> bool:
    """True when the same credential may do after a moment."""
    return isinstance(failure, PASSES_SOON)


def may_pass(failure: GatewayError | None, longest: float) -> bool:
    """True when the failure may be over by itself within `longest` seconds."""
    return isinstance(failure, SAME_AGAIN) and (failure.retry_after or 0.0) <= longest


def left_for_others(failure: GatewayError, others: int) -> int:
    """How many tries another one of the same target leaves for those behind it: one, where another credential helps."""
    return min(others, 1) if isinstance(failure, OF_ONE_KEY) else others


def stays(failure: GatewayError) -> bool:
    """True when another credential of the same target may do."""
    return not isinstance(failure, NEXT_TARGET) and failure.code != HUMAN_CHECK
