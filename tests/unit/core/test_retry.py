"""Waits between tries grow, have a bound, and are spread."""

from random import Random

import pytest

from core.retry import Backoff, RetryBudget
from tests.fakes import FakeClock


@pytest.mark.parametrize(("failures", "full"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 8), (20, 8)])
def test_a_wait_doubles_up_to_its_bound_and_is_shortened_by_at_most_a_half(failures: int, full: float) -> None:
    backoff = Backoff(Random(7))
    waits = [backoff.seconds(failures) for _ in range(200)]
    assert full / 2 <= min(waits) < full * 0.55
    assert full * 0.95 < max(waits) <= full


def test_the_first_wait_and_the_longest_can_be_chosen() -> None:
    assert Backoff(Random(7), first=0).seconds(5) == 0
    assert Backoff(Random(7), longest=0.1).seconds(9) <= 0.1


# The budget


def spent(budget: RetryBudget) -> int:
    """How many retries it still allows, all of which are spent."""
    count = 0
    while budget.take():
        count += 1
    assert not budget.allows()
    return count


@pytest.mark.parametrize(("requests", "retries"), [(0, 10), (1, 10), (5, 11), (50, 20), (200, 50)])
def test_retries_are_a_share_of_the_traffic_and_a_few_more(requests: int, retries: int) -> None:
    budget = RetryBudget(0.2, 10, FakeClock())
    for _ in range(requests):
        budget.request()
    assert spent(budget) == retries


def test_what_is_ten_seconds_old_counts_no_longer() -> None:
    clock = FakeClock()
    budget = RetryBudget(0.5, 1, clock)
    for _ in range(10):
        budget.request()
    assert spent(budget) == 6
    clock.advance(9.9)
    assert spent(budget) == 0
    clock.advance(0.1)
    assert spent(budget) == 1, "the requests of then are gone as well"


def test_without_a_budget_nothing_is_tried_again() -> None:
    budget = RetryBudget(0, 0, FakeClock())
    budget.request()
    assert not budget.allows()


def test_other_bounds_do_not_forget_what_was_tried() -> None:
    budget = RetryBudget(0, 3, FakeClock())
    assert spent(budget) == 3
    budget.configure(0, 5)
    assert spent(budget) == 2
