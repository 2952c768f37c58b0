"""When a circuit opens, when it lets one request through, and what closes it."""

from typing import get_args

import pytest

from config.settings import CircuitSettings
from core.breaker import TRANSITIONS, Circuit, CircuitState, Event, closed, outage
from core.errors import (
    ContentRefused,
    CredentialsExhausted,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamTokenExpired,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)

SETTINGS = CircuitSettings(failures=3, failure_share=0.5, min_calls=10, window=60, open_seconds=10, max_open_seconds=35)
NOW = 1_000_000.0


def failed(circuit: Circuit, times: int = 1, at: float = NOW, began: float | None = None, part: str = "") -> Circuit:
    for _ in range(times):
        circuit = circuit.failure("upstream_timeout", at if began is None else began, at, SETTINGS, part)
    return circuit


def answered(circuit: Circuit, at: float = NOW, began: float | None = None) -> Circuit:
    return circuit.success(at if began is None else began, at, SETTINGS)


OPEN = failed(Circuit(), 3)


def test_every_state_says_what_follows_from_every_event() -> None:
    assert set(TRANSITIONS) == set(get_args(CircuitState))
    for events in TRANSITIONS.values():
        assert set(events) == set(get_args(Event))


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        ("closed", "failure", "closed"),
        ("closed", "limit", "open"),
        ("open", "wait_over", "half_open"),
        ("open", "failure", "open"),
        ("half_open", "success", "closed"),
        ("half_open", "failure", "open"),
        ("open", "reset", "closed"),
        ("half_open", "reset", "closed"),
    ],
)
def test_the_table_is_the_textbooks(before: CircuitState, event: Event, after: CircuitState) -> None:
    assert TRANSITIONS[before][event] == after


def test_it_opens_at_the_last_failure_in_a_row() -> None:
    assert [failed(Circuit(), times).state for times in (1, 2, 3)] == ["closed", "closed", "open"]
    assert (OPEN.open_until, OPEN.opened, OPEN.reason) == (NOW + 10, 1, "upstream_timeout")


def test_a_success_between_starts_the_count_again() -> None:
    assert failed(answered(failed(Circuit(), 2)), 2).state == "closed"


def test_it_opens_when_too_great_a_share_of_enough_calls_failed() -> None:
    circuit = Circuit()
    for _ in range(4):
        circuit = failed(answered(circuit))
    assert circuit.state == "closed", "eight calls are too few to say"
    assert failed(answered(circuit)).state == "open"


def test_a_smaller_share_does_not_open_it() -> None:
    circuit = Circuit()
    for _ in range(50):
        circuit = failed(answered(answered(circuit)))
    assert circuit.state == "closed"


def test_what_lies_outside_the_window_is_forgotten() -> None:
    circuit = Circuit()
    for number in range(40):
        circuit = failed(answered(circuit, NOW + 20 * number), at=NOW + 20 * number)
    assert circuit.state == "closed", "in any minute there are six calls or eight"


def test_it_lets_nothing_through_until_its_time_is_over() -> None:
    assert [OPEN.at(NOW + seconds).state for seconds in (0, 9.9, 10, 500)] == ["open", "open", "half_open", "half_open"]
    assert [OPEN.at(NOW + seconds).wait(NOW + seconds) for seconds in (0, 4, 10)] == [10, 6, 0]


def test_a_success_when_half_open_closes_it_and_nothing_is_held_against_it() -> None:
    assert answered(OPEN, NOW + 10) == closed(NOW + 10)


def test_a_failure_when_half_open_opens_it_for_twice_as_long_up_to_the_longest() -> None:
    circuit, at, waits = OPEN, NOW, []
    for _ in range(4):
        waits.append(circuit.open_until - at)
        at = circuit.open_until
        circuit = failed(circuit, at=at)
    assert waits == [10, 20, 35, 35]


def test_after_a_success_it_opens_for_the_shortest_time_again() -> None:
    again = failed(answered(failed(OPEN, at=NOW + 10), NOW + 30), 3, NOW + 31)
    assert again.open_until == NOW + 41


def test_calls_that_began_before_it_opened_say_nothing_of_now() -> None:
    assert answered(OPEN, NOW + 5, began=NOW - 1) == OPEN
    assert failed(OPEN, at=NOW + 11, began=NOW - 1) == OPEN


def test_the_success_of_a_sole_target_that_was_asked_all_the_same_closes_it() -> None:
    assert answered(OPEN, NOW + 5, began=NOW + 1).state == "closed"


def test_the_failures_of_a_sole_target_do_not_keep_it_open_for_longer() -> None:
    again = failed(OPEN, 10, NOW + 5)
    assert (again.state, again.open_until, again.changed_at) == ("open", OPEN.open_until, OPEN.changed_at)


# Failures of one part of what it is for


def parts(names: str, circuit: Circuit = Circuit(), at: float = NOW) -> Circuit:  # noqa: B008 - it is frozen
    """After a failure of each of these parts, "-" for one of the whole."""
    for name in names:
        circuit = failed(circuit, at=at, part=name.replace("-", ""))
    return circuit


@pytest.mark.parametrize(
    ("names", "state"),
    [
        ("a" * 50, "closed"),
        ("aa", "closed"),
        ("ab", "closed"),
        ("aab", "open"),
        ("aba", "open"),
        ("abc", "open"),
        ("---", "open"),
        ("--a", "closed"),
        ("a-a-a-", "open"),
    ],
)
def test_a_part_that_fails_alone_says_nothing_of_the_whole(names: str, state: CircuitState) -> None:
    assert parts(names).state == state


def test_a_part_that_failed_often_needs_more_than_a_mishap_of_another() -> None:
    settings = SETTINGS.model_copy(update={"failures": 5})
    circuit, states = Circuit(), []
    for name in "a" * 50 + "bb":
        circuit = circuit.failure("x", NOW, NOW, settings, name)
        states.append(circuit.state)
    assert states == ["closed"] * 51 + ["open"]


def test_one_part_may_fail_in_every_second_call() -> None:
    circuit = Circuit()
    for _ in range(50):
        circuit = parts("a", answered(circuit))
    assert circuit.state == "closed"
    for _ in range(4):
        circuit = parts("ab", answered(circuit, NOW + 100), NOW + 100)
    assert circuit.state == "open"


def test_one_part_does_not_keep_a_half_open_circuit_from_those_that_work() -> None:
    open_ = parts("aab")
    still = parts("aaa", open_, NOW + 10)
    assert still.at(NOW + 10).state == "half_open"
    assert answered(still, NOW + 10).state == "closed"
    again = parts("b", still, NOW + 10)
    assert (again.state, again.open_until) == ("open", NOW + 30)


def test_made_up_names_of_parts_do_not_fill_the_memory() -> None:
    circuit = Circuit()
    for number in range(1000):
        circuit = failed(circuit, part=f"part-{number}")
    assert circuit.state == "open"
    assert len(circuit.failed) < 40


def test_a_clock_that_was_set_back_does_not_break_the_window() -> None:
    assert failed(failed(Circuit(), 1, NOW), 2, NOW - 3600).state == "open"


def test_numberless_failures_make_no_number_too_big() -> None:
    circuit, at = OPEN, NOW
    for _ in range(2000):
        at = circuit.open_until
        circuit = failed(circuit, at=at)
    assert circuit.open_until == at + 35


@pytest.mark.parametrize(
    "kind", [UpstreamUnreachable, UpstreamTimeout, UpstreamBroken, UpstreamServerError, UpstreamOverloaded]
)
def test_the_providers_own_failures_count(kind: type[GatewayError]) -> None:
    assert outage(kind("no"))


@pytest.mark.parametrize(
    "kind",
    [
        InvalidRequest,
        ContentRefused,
        ModelNotFound,
        UpstreamUnauthorized,
        UpstreamTokenExpired,
        UpstreamRateLimited,
        UpstreamQuotaExhausted,
        UpstreamForbidden,
        UpstreamError,
        CredentialsExhausted,
    ],
)
def test_what_is_wrong_with_a_request_or_a_key_does_not(kind: type[GatewayError]) -> None:
    assert not outage(kind("no"))
