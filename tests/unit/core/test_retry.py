"""Waits between tries grow, have a bound, and are spread."""

from random import Random

import pytest

from core.retry import Backoff


@pytest.mark.parametrize(("failures", "full"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 8), (20, 8)])
def test_a_wait_doubles_up_to_its_bound_and_is_shortened_by_at_most_a_half(failures: int, full: float) -> None:
    backoff = Backoff(Random(7))
    waits = [backoff.seconds(failures) for _ in range(200)]
    assert full / 2 <= min(waits) < full * 0.55
    assert full * 0.95 < max(waits) <= full


def test_the_first_wait_and_the_longest_can_be_chosen() -> None:
    assert Backoff(Random(7), first=0).seconds(5) == 0
    assert Backoff(Random(7), longest=0.1).seconds(9) <= 0.1
