"""What every home of the store promises of windows."""

from dataclasses import replace
from itertools import count
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.store.base import Reading, Store, Taken, Window, WindowKind
from core.store.windows import look
from tests.contract.conftest import Opening
from tests.contract.store_kit import NOW, together

UNIQUE = count()


def take(store: Store, at: float, *windows: Window) -> Taken:
    return store.counters.take(windows, NOW + at)


def granted(*readings: tuple[int, float, float]) -> Taken:
    return Taken(granted=True, readings=tuple(Reading(*reading) for reading in readings))


def refused(*readings: tuple[int, float, float]) -> Taken:
    return Taken(granted=False, readings=tuple(Reading(*reading) for reading in readings))


def test_a_limit_is_granted_and_not_one_more(store: Store) -> None:
    window = Window("k", 3, 60)
    assert [take(store, second, window).granted for second in (0, 1, 2, 3)] == [True, True, True, False]


def test_what_was_taken_comes_back_when_its_own_time_is_over(store: Store) -> None:
    window = Window("k", 2, 60)
    take(store, 0, window)
    take(store, 30, window)
    assert not take(store, 59.999, window).granted
    assert take(store, 60, window).granted, "the first is over, sixty seconds after it was taken"
    assert not take(store, 60, window).granted, "the second is not: a window slides and does not jump"
    assert take(store, 90, window).granted


def test_readings_say_what_is_left_and_when_more_comes(store: Store) -> None:
    window = Window("k", 3, 60, cost=2)
    assert take(store, 0, window) == granted((1, 60, 0))
    assert take(store, 10, window) == refused((1, 50, 50))
    assert take(store, 10, Window("k", 3, 60)) == granted((0, 60, 0))
    assert take(store, 20, Window("k", 3, 60)) == refused((0, 50, 40))
    assert take(store, 20, Window("k", 3, 60, cost=3)) == refused((0, 50, 50))


def test_a_refusal_costs_nothing(store: Store) -> None:
    window = Window("k", 1, 60)
    take(store, 0, window)
    for second in range(1, 60):
        assert not take(store, second, window).granted
    assert take(store, 60, window).granted


def test_all_windows_are_counted_or_none(store: Store) -> None:
    wide, narrow = Window("wide", 10, 60), Window("narrow", 1, 60)
    assert take(store, 0, wide, narrow).granted
    assert take(store, 1, wide, narrow) == refused((9, 59, 0), (0, 59, 59))
    assert take(store, 1, wide).readings[0].remaining == 8


@pytest.mark.parametrize("kind", get_args(WindowKind))
def test_who_only_looks_is_told_what_would_be_and_takes_nothing(store: Store, kind: WindowKind) -> None:
    first, small, large = (Window("k", 3, 60, cost=cost, kind=kind) for cost in (2, 1, 2))
    beside = Window("beside", 5, 60, cost=5, kind=kind)
    for _ in range(2):
        assert [one.remaining for one in look(store.counters, [first, beside], NOW)] == [3, 5]
        assert [one.retry_after for one in look(store.counters, [first, beside], NOW)] == [0, 0]
    taken = take(store, 0, first)
    assert taken.granted, "nothing was taken before"
    fits, waits = (look(store.counters, [window], NOW)[0] for window in (small, large))
    assert (fits.remaining, fits.retry_after) == (1, 0)
    assert waits.retry_after == take(store, 0, large).readings[0].retry_after > 0


def test_one_key_may_be_limited_over_two_lengths_of_time(store: Store) -> None:
    minute, hour = Window("k", 2, 60), Window("k", 3, 3600)
    taken = [take(store, second, minute, hour) for second in (0, 1, 2, 61, 122)]
    assert [one.granted for one in taken] == [True, True, False, True, False]


def test_a_cost_above_the_limit_is_never_granted(store: Store) -> None:
    assert take(store, 0, Window("k", 3, 60, cost=4)) == refused((3, 0, 60))


def test_a_cost_of_nothing_only_reads(store: Store) -> None:
    take(store, 0, Window("k", 1, 60))
    for _ in range(2):
        assert take(store, 1, Window("k", 1, 60, cost=0)) == granted((0, 59, 0))


def test_keys_do_not_disturb_each_other(store: Store) -> None:
    keys = ("a", "b", "a:b", "{a}", "a b", "ä", "a\n", "")
    assert all(take(store, 0, Window(key, 1, 60)).granted for key in keys)
    assert not any(take(store, 0, Window(key, 1, 60)).granted for key in keys)


def test_a_clock_that_is_set_back_blocks_nobody_for_long(store: Store) -> None:
    window = Window("k", 1, 60)
    take(store, 86_400, window)
    assert take(store, 0, window).granted


def test_a_clock_that_is_a_little_behind_counts_all_the_same(store: Store) -> None:
    window = Window("k", 2, 60)
    assert [take(store, second, window).granted for second in (5, 4.5)] == [True, True]
    assert take(store, 4, window) == refused((0, 61, 61)), "what was taken at 5 is in the way until 65"
    assert take(store, 65, window).granted


@pytest.mark.parametrize("wrong", [Window("k", 1, 60, cost=-1), Window("k", 1, 0), Window("k", 1, -1)])
def test_a_window_that_makes_no_sense_is_refused(store: Store, wrong: Window) -> None:
    with pytest.raises(ValueError, match="window k"):
        take(store, 0, wrong)


def test_one_window_twice_in_a_call_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="once"):
        take(store, 0, Window("k", 1, 60), Window("k", 1, 60.0))


def test_no_more_than_the_limit_is_granted_to_many_at_once(store: Store) -> None:
    window = Window("k", 100, 60)
    assert sum(together(8, lambda: sum(take(store, 0, window).granted for _ in range(40)))) == 100


# Corrections


def correct(store: Store, at: float, now: float, *windows: Window) -> None:
    store.counters.correct(windows, NOW + at, NOW + now)


@pytest.mark.parametrize("kind", get_args(WindowKind))
def test_what_was_too_much_comes_back(store: Store, kind: WindowKind) -> None:
    window = Window("k", 100, 3600, cost=80, kind=kind)
    assert take(store, 0, window).granted
    assert not take(store, 0, window).granted
    correct(store, 0, 0, replace(window, cost=-60))
    assert take(store, 0, window).readings[0].remaining == 0
    assert not take(store, 0, replace(window, cost=1)).granted


@pytest.mark.parametrize("kind", get_args(WindowKind))
def test_what_was_too_little_is_counted_above_the_limit(store: Store, kind: WindowKind) -> None:
    window = Window("k", 100, 3600, cost=60, kind=kind)
    take(store, 0, window)
    correct(store, 0, 0, replace(window, cost=500))
    left = take(store, 0, replace(window, cost=0)).readings[0].remaining
    assert left == (-460 if kind == "fixed" else 0), "what is money is told to the last of it"
    assert not take(store, 1, replace(window, cost=1)).granted


@pytest.mark.parametrize("kind", get_args(WindowKind))
def test_a_correction_of_what_was_never_taken_is_nothing(store: Store, kind: WindowKind) -> None:
    window = Window("k", 100, 3600, cost=50, kind=kind)
    correct(store, 0, 0, window)
    assert take(store, 0, replace(window, cost=100)).granted


@pytest.mark.parametrize("kind", ["sliding", "fixed"])
def test_a_correction_goes_with_what_it_corrects(store: Store, kind: WindowKind) -> None:
    window, start = Window("k", 100, 60, cost=90, kind=kind), 60 - NOW % 60
    take(store, start, window)
    correct(store, start, start + 30, replace(window, cost=-80))
    assert take(store, start + 30, replace(window, cost=0)).readings[0].remaining == 90
    assert take(store, start + 60, replace(window, cost=0)).readings[0].remaining == 100


@pytest.mark.parametrize("kind", ["sliding", "fixed"])
def test_a_correction_that_comes_too_late_is_nothing(store: Store, kind: WindowKind) -> None:
    window = Window("k", 100, 60, cost=50, kind=kind)
    take(store, 0, window)
    take(store, 61, window)
    correct(store, 0, 61, replace(window, cost=-50))
    assert take(store, 61, replace(window, cost=0)).readings[0].remaining == 50


def test_the_right_one_of_many_is_corrected(store: Store) -> None:
    window = Window("k", 1000, 60, cost=10)
    for second in range(20):
        take(store, second, window)
    correct(store, 5, 20, replace(window, cost=-10))
    left = [take(store, at, replace(window, cost=0)).readings[0].remaining for at in (20, 64.9, 65, 66)]
    assert left == [810, 860, 860, 870], "the sixth cost nothing, so its end gives nothing back"


def test_a_crowd_is_counted_exactly_and_forgotten_a_tick_late_at_most(store: Store) -> None:
    window = Window("k", 1000, 60)
    assert sum(take(store, number / 100, window).granted for number in range(1200)) == 1000
    assert take(store, 59.99, replace(window, cost=0)).readings[0].remaining == 0
    for second in (60, 63, 66, 69):
        gone = (second - 60) * 100
        left = take(store, second, replace(window, cost=0)).readings[0].remaining
        assert gone - 100 <= left <= gone + 1
    assert take(store, 71, replace(window, cost=0)).readings[0].remaining == 1000


# Buckets and stretches of the clock


def test_a_bucket_fills_up_evenly(store: Store) -> None:
    window = Window("k", 60, 60, kind="bucket")
    assert take(store, 0, replace(window, cost=60)) == granted((0, 60, 0))
    assert take(store, 0.5, window) == refused((0, 59.5, 0.5))
    assert take(store, 10, replace(window, cost=10)) == granted((0, 60, 0))
    assert take(store, 100, window) == granted((59, 1, 0))
    assert take(store, 101, replace(window, cost=61)) == refused((60, 0, 60))


def test_a_bucket_is_full_again_after_a_clock_is_set_back(store: Store) -> None:
    window = Window("k", 1, 60, kind="bucket")
    take(store, 86_400, window)
    assert take(store, 0, window).granted


def test_a_fixed_window_comes_back_at_once_when_the_clock_says_so(store: Store) -> None:
    window, start = Window("k", 2, 3600, kind="fixed"), 3600 - NOW % 3600
    assert take(store, start + 3000, replace(window, cost=2)) == granted((0, 600, 0))
    assert take(store, start + 3599, window) == refused((0, 1, 1))
    assert take(store, start + 3600, window) == granted((1, 3600, 0))


def test_a_fixed_window_outlives_the_process(open_home: Opening) -> None:
    first, window = open_home(), Window("day: a", 10, 86_400, kind="fixed")
    take(first, 0, replace(window, cost=7))
    first.save()
    second = open_home()
    assert take(second, 1, replace(window, cost=0)).readings[0].remaining == 3
    correct(second, 0, 1, replace(window, cost=-2))
    second.save()
    assert take(open_home(), 2, replace(window, cost=0)).readings[0].remaining == 5


def test_kinds_do_not_disturb_each_other(store: Store) -> None:
    windows = [Window("k", 1, 60, kind=kind) for kind in get_args(WindowKind)]
    assert take(store, 0, *windows).granted
    assert not any(take(store, 0, window).granted for window in windows)


# Clocks that differ


@pytest.mark.parametrize("kind", get_args(WindowKind))
@pytest.mark.parametrize("apart", [0.3, 1.0, 5.0])
def test_clocks_that_differ_grant_no_more_than_one_clock_does(store: Store, kind: WindowKind, apart: float) -> None:
    window, start = Window("k", 100, 60, kind=kind), 60 - NOW % 60
    moments = [start + number / 1000 + apart * (number % 2) for number in range(1000)]
    taken = sum(take(store, moment, window).granted for moment in moments)
    assert 100 <= taken <= 100 + 100 / 60 * (1 + apart), "what flows into a bucket meanwhile comes on top"


def test_a_fixed_window_ends_once_however_much_clocks_differ_at_its_end(store: Store) -> None:
    window, end = Window("k", 100, 3600, kind="fixed"), 3600 - NOW % 3600
    moments = [end - 0.15 + number / 1000 + 0.3 * (number % 2) for number in range(300)]
    first = take(store, end - 10, replace(window, cost=100))
    assert first.granted
    taken = [moment for moment in moments if take(store, moment, window).granted]
    assert len(taken) == 100, "the new window's, and no third one for a clock that has not got there"
    reading = take(store, end - 0.1, replace(window, cost=1)).readings[0]
    assert (reading.remaining, round(reading.reset_after, 3)) == (0, 3600.1)


def test_a_correction_by_a_clock_that_is_behind_finds_its_window(store: Store) -> None:
    window, end = Window("k", 100, 3600, kind="fixed"), 3600 - NOW % 3600
    take(store, end - 10, replace(window, cost=60))
    take(store, end + 0.1, replace(window, cost=50))
    correct(store, end - 10, end - 0.1, replace(window, cost=-60))
    assert take(store, end + 0.2, replace(window, cost=0)).readings[0].remaining == 50
    correct(store, end + 0.1, end - 0.1, replace(window, cost=-20))
    assert take(store, end + 0.2, replace(window, cost=0)).readings[0].remaining == 70


@pytest.mark.parametrize("kind", get_args(WindowKind))
def test_what_a_clock_behind_that_of_the_first_one_has_taken_can_be_corrected(store: Store, kind: WindowKind) -> None:
    window = Window("k", 100, 60, kind=kind)
    first = 60 - NOW % 60 + 20
    take(store, first, replace(window, cost=10))
    take(store, first - 4, replace(window, cost=50))
    correct(store, first - 4, first - 3, replace(window, cost=-50))
    assert take(store, first + 0.1, replace(window, cost=0)).readings[0].remaining == 90


def test_a_fixed_window_begins_anew_after_a_clock_is_set_back_by_more_than_one(store: Store) -> None:
    window = Window("k", 1, 60, kind="fixed")
    take(store, 86_400, window)
    assert take(store, 0, window).granted


class Model:
    """The promise as plainly as it can be written: every grant remembered, everything counted anew."""

    def __init__(self) -> None:
        self.grants: dict[tuple[str, float], list[tuple[float, int]]] = {}

    def take(self, windows: list[Window], now: float) -> Taken:
        logs = [[e for e in self.grants.get((w.key, w.seconds), []) if e[0] > now] for w in windows]
        fits = all(not w.cost or self._used(log) + w.cost <= w.limit for w, log in zip(windows, logs, strict=True))
        for window, log in zip(windows, logs, strict=True):
            if fits and window.cost:
                log.append((now + window.seconds, window.cost))
            self.grants[window.key, window.seconds] = log
        return Taken(fits, tuple(self._read(*pair, now, fits) for pair in zip(windows, logs, strict=True)))

    def _read(self, window: Window, log: list[tuple[float, int]], now: float, fits: bool) -> Reading:
        reset = log[-1][0] - now if log else 0.0
        return Reading(max(0, window.limit - self._used(log)), reset, 0.0 if fits else self._wait(window, log, now))

    def _wait(self, window: Window, log: list[tuple[float, int]], now: float) -> float:
        if window.cost > window.limit:
            return window.seconds
        moments = (when for when in [now, *(e[0] for e in log)]
                   if self._used([e for e in log if e[0] > when]) + window.cost <= window.limit)  # fmt: skip
        return next(moments) - now

    @staticmethod
    def _used(log: list[tuple[float, int]]) -> int:
        return sum(cost for _, cost in log)


WINDOWS = st.builds(
    Window, st.sampled_from("ab"), st.integers(1, 9), st.sampled_from([10.0, 60.0]), cost=st.integers(0, 5)
)
CALL = st.lists(WINDOWS, min_size=1, max_size=3, unique_by=lambda window: (window.key, window.seconds))
CALLS = st.lists(st.tuples(st.floats(0, 45), CALL), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CALLS)
def test_any_calls_are_answered_as_the_plain_model_answers_them(
    store: Store, calls: list[tuple[float, list[Window]]]
) -> None:
    model, now, run = Model(), NOW, next(UNIQUE)
    for pause, asked in calls:
        now += pause
        windows = [Window(f"{run}:{w.key}", w.limit, w.seconds, w.cost) for w in asked]
        assert store.counters.take(windows, now) == model.take(windows, now)
