"""The states of a credential as one table."""

from collections.abc import Mapping
from typing import Literal

from schemas.credential import CredentialState

Event = Literal["select", "complete", "error_threshold", "max_errors", "health_check_passed", "manual_reset"]

TRANSITIONS: Mapping[tuple[CredentialState, Event], CredentialState] = {
    ("available", "select"): "in_use",
    ("available", "complete"): "available",
    ("available", "error_threshold"): "degraded",
    ("available", "max_errors"): "blacklisted",
    ("available", "health_check_passed"): "available",
    ("available", "manual_reset"): "available",
    ("in_use", "select"): "in_use",
    ("in_use", "complete"): "available",
    ("in_use", "error_threshold"): "degraded",
    ("in_use", "max_errors"): "blacklisted",
    ("in_use", "health_check_passed"): "available",
    ("in_use", "manual_reset"): "available",
    ("degraded", "select"): "degraded",
    ("degraded", "complete"): "available",
    ("degraded", "error_threshold"): "degraded",
    ("degraded", "max_errors"): "blacklisted",
    ("degraded", "health_check_passed"): "available",
    ("degraded", "manual_reset"): "available",
    ("blacklisted", "select"): "blacklisted",
    ("blacklisted", "complete"): "blacklisted",
    ("blacklisted", "error_threshold"): "blacklisted",
    ("blacklisted", "max_errors"): "blacklisted",
    ("blacklisted", "health_check_passed"): "blacklisted",
    ("blacklisted", "manual_reset"): "available",
}
"""Every state meets every event, so that nothing is undefined.

`complete` is a request that ended well, `max_errors` also a refusal that counts as the maximum at once. A credential
serves several requests at a time, so `in_use` is never stored: it is what `shown` makes of an available one with
running leases. A blacklisted one is never selected; its `select` row is for leases that were out when it happened.
"""


def move(state: CredentialState, event: Event) -> CredentialState:
    """The state after `event`."""
    return TRANSITIONS[state, event]


def shown(state: CredentialState, in_use: int) -> CredentialState:
    """The state an operator sees while `in_use` leases run."""
    return move(state, "select") if in_use else state
