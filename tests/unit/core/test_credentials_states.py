"""The table of states."""

from itertools import product
from typing import get_args

import pytest

from core.credentials.states import TRANSITIONS, Event, move, shown
from schemas.credential import CredentialState


def test_every_state_meets_every_event() -> None:
    assert set(TRANSITIONS) == set(product(get_args(CredentialState), get_args(Event)))


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        ("available", "select", "in_use"),
        ("in_use", "complete", "available"),
        ("in_use", "error_threshold", "degraded"),
        ("degraded", "health_check_passed", "available"),
        ("degraded", "complete", "available"),
        ("degraded", "max_errors", "blacklisted"),
        ("blacklisted", "manual_reset", "available"),
    ],
)
def test_the_promised_transitions(state: CredentialState, event: Event, after: CredentialState) -> None:
    assert move(state, event) == after


def test_only_a_manual_reset_leads_out_of_blacklisted() -> None:
    leaving = {event for (state, event), after in TRANSITIONS.items() if state == "blacklisted" != after}
    assert leaving == {"manual_reset"}


def test_in_use_is_shown_only_while_leases_run() -> None:
    assert [shown("available", 0), shown("available", 2), shown("degraded", 2)] == ["available", "in_use", "degraded"]
