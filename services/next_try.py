"""What follows from a failure before content: the same target again, the next one, or the end."""

from core.errors import CannotCarry, GatewayError, ModelNotFound, UpstreamError, UpstreamOverloaded

HUMAN_CHECK = "upstream_human_check"
"""The site asks for a human, whichever credential is used: asking it again with another one would be a loop."""

NEXT_TARGET = (UpstreamOverloaded, ModelNotFound, CannotCarry)
"""Failures that another credential of the same target would meet as well."""


def fails_over(failure: GatewayError) -> bool:
    """True when another credential or another target may do; False when it is wrong everywhere."""
    return isinstance(failure, (ModelNotFound, CannotCarry)) or (
        isinstance(failure, UpstreamError) and failure.failover
    )


def stays(failure: GatewayError) -> bool:
    """True when another credential of the same target may do."""
    return not isinstance(failure, NEXT_TARGET) and failure.code != HUMAN_CHECK
