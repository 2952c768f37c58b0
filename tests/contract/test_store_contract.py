"""What every home of the store promises."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.store.base import Reading, Record, Store, Taken, Window
from tests.contract.conftest import Opening

NOW = 1_795_000_000.125
UNIQUE = count()


def together(threads: int, work: Callable[[], Any]) -> list[Any]:
    """What `work` returns in each of so many threads that begin at once and switch as often as they can."""
    start, interval = threading.Barrier(threads), sys.getswitchinterval()

    def one(_: int) -> Any:
        start.wait()
        return work()

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(threads)))
    finally:
        sys.setswitchinterval(interval)


def take(store: Store, at: float, *windows: Window) -> Taken:
    return store.counters.take(windows, NOW + at)


# Windows


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
    assert take(store, 0, window) == Taken(True, (Reading(1, 60, 0),))
    assert take(store, 10, window) == Taken(False, (Reading(1, 50, 50),))
    assert take(store, 10, Window("k", 3, 60)) == Taken(True, (Reading(0, 60, 0),))
    assert take(store, 20, Window("k", 3, 60)) == Taken(False, (Reading(0, 50, 40),))
    assert take(store, 20, Window("k", 3, 60, cost=3)) == Taken(False, (Reading(0, 50, 50),))


def test_a_refusal_costs_nothing(store: Store) -> None:
    window = Window("k", 1, 60)
    take(store, 0, window)
    for second in range(1, 60):
        assert not take(store, second, window).granted
    assert take(store, 60, window).granted


def test_all_windows_are_counted_or_none(store: Store) -> None:
    wide, narrow = Window("wide", 10, 60), Window("narrow", 1, 60)
    assert take(store, 0, wide, narrow).granted
    refused = take(store, 1, wide, narrow)
    assert refused == Taken(False, (Reading(9, 59, 0), Reading(0, 59, 59)))
    assert take(store, 1, wide).readings[0].remaining == 8


def test_one_key_may_be_limited_over_two_lengths_of_time(store: Store) -> None:
    minute, hour = Window("k", 2, 60), Window("k", 3, 3600)
    granted = [take(store, second, minute, hour).granted for second in (0, 1, 2, 61, 122)]
    assert granted == [True, True, False, True, False]


def test_a_cost_above_the_limit_is_never_granted(store: Store) -> None:
    assert take(store, 0, Window("k", 3, 60, cost=4)) == Taken(False, (Reading(3, 0, 60),))


def test_a_cost_of_nothing_only_reads(store: Store) -> None:
    take(store, 0, Window("k", 1, 60))
    for _ in range(2):
        assert take(store, 1, Window("k", 1, 60, cost=0)) == Taken(True, (Reading(0, 59, 0),))


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
    assert [take(store, second, window).granted for second in (5, 4.5, 4)] == [True, True, False]
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
    granted = together(8, lambda: sum(take(store, 0, window).granted for _ in range(40)))
    assert sum(granted) == 100


class Model:
    """The promise as plainly as it can be written: every grant remembered, everything counted anew."""

    def __init__(self) -> None:
        self.grants: dict[tuple[str, float], list[tuple[float, int]]] = {}

    def take(self, windows: list[Window], now: float) -> Taken:
        logs = [[e for e in self.grants.get((w.key, w.seconds), []) if e[0] > now] for w in windows]
        granted = all(self._used(log) + w.cost <= w.limit for w, log in zip(windows, logs, strict=True))
        for window, log in zip(windows, logs, strict=True):
            if granted and window.cost:
                log.append((now + window.seconds, window.cost))
            self.grants[window.key, window.seconds] = log
        return Taken(granted, tuple(self._read(*pair, now, granted) for pair in zip(windows, logs, strict=True)))

    def _read(self, window: Window, log: list[tuple[float, int]], now: float, granted: bool) -> Reading:
        reset = log[-1][0] - now if log else 0.0
        return Reading(max(0, window.limit - self._used(log)), reset, 0.0 if granted else self._wait(window, log, now))

    def _wait(self, window: Window, log: list[tuple[float, int]], now: float) -> float:
        if window.cost > window.limit:
            return window.seconds
        moments = (when for when in [now, *(e[0] for e in log)]
                   if self._used([e for e in log if e[0] > when]) + window.cost <= window.limit)  # fmt: skip
        return next(moments) - now

    @staticmethod
    def _used(log: list[tuple[float, int]]) -> int:
        return sum(cost for _, cost in log)


CALLS = st.lists(
    st.tuples(
        st.floats(0, 45),
        st.lists(
            st.builds(Window, st.sampled_from("ab"), st.integers(1, 9), st.sampled_from([10.0, 60.0]), st.integers(0, 5)),
            min_size=1, max_size=3, unique_by=lambda window: (window.key, window.seconds),
        ),
    ),
    max_size=40,
)  # fmt: skip


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


# Locks


def test_a_lock_has_one_owner_at_a_time(store: Store) -> None:
    lock = store.counters.lock
    assert lock("l", "one", 30, NOW)
    assert not lock("l", "two", 30, NOW + 29.9)
    assert lock("other", "two", 30, NOW)


def test_a_lock_ends_by_itself(store: Store) -> None:
    store.counters.lock("l", "one", 30, NOW)
    assert store.counters.lock("l", "two", 30, NOW + 30)
    assert not store.counters.lock("l", "one", 30, NOW + 31)


def test_its_owner_renews_a_lock(store: Store) -> None:
    store.counters.lock("l", "one", 30, NOW)
    assert store.counters.lock("l", "one", 30, NOW + 20)
    assert not store.counters.lock("l", "two", 30, NOW + 40)
    assert store.counters.lock("l", "two", 30, NOW + 50)


def test_only_its_owner_gives_a_lock_back(store: Store) -> None:
    store.counters.lock("l", "one", 30, NOW)
    store.counters.unlock("l", "two")
    assert not store.counters.lock("l", "two", 30, NOW)
    store.counters.unlock("l", "one")
    assert store.counters.lock("l", "two", 30, NOW)
    store.counters.unlock("never locked", "one")


def test_a_lock_that_many_want_is_given_to_one(store: Store) -> None:
    names = iter(range(8))
    assert sum(together(8, lambda: store.counters.lock("l", f"owner {next(names)}", 30, NOW))) == 1


# Records

RECORDS: tuple[Record, ...] = (
    {},
    {"text": "Grüße 世界 👋 \n\0\"\\", "n": -(2**70), "f": 0.1, "none": None, "yes": True},
    {"deep": {"list": [1, [2, {"three": "3"}], []]}, "": "empty name", "Infinity": "NaN"},
)  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_read_as_it_was_written(store: Store, record: Record) -> None:
    store.records.put("kind", "key", record)
    assert store.records.get("kind", "key") == record
    assert store.records.all("kind") == {"key": record}


def test_what_was_never_written_is_not_there(store: Store) -> None:
    assert store.records.get("kind", "key") is None
    assert store.records.all("kind") == {}
    assert store.records.delete("kind", "key") is False


def test_kinds_and_keys_are_told_apart(store: Store) -> None:
    names = [("a", "b"), ("a", "c"), ("b", "b"), ("a:b", "c"), ("a", "b:c"), ("ä", "世界"), ("a", "")]
    for number, (kind, key) in enumerate(names):
        store.records.put(kind, key, {"n": number})
    assert [store.records.get(kind, key) for kind, key in names] == [{"n": n} for n in range(len(names))]
    assert store.records.all("a") == {"b": {"n": 0}, "c": {"n": 1}, "b:c": {"n": 4}, "": {"n": 6}}


def test_put_replaces(store: Store) -> None:
    store.records.put("kind", "key", {"a": 1, "b": 2})
    store.records.put("kind", "key", {"a": 3})
    assert store.records.get("kind", "key") == {"a": 3}


def test_what_is_deleted_is_gone(store: Store) -> None:
    store.records.put("kind", "key", {"a": 1})
    assert store.records.delete("kind", "key") is True
    assert store.records.get("kind", "key") is None
    assert store.records.all("kind") == {}


def test_change_makes_the_new_record_from_the_old(store: Store) -> None:
    assert store.records.change("kind", "key", lambda old: {"old": old}) == {"old": None}
    assert store.records.change("kind", "key", lambda old: {"old": old}) == {"old": {"old": None}}
    assert store.records.get("kind", "key") == {"old": {"old": None}}


def test_a_change_that_fails_changes_nothing_and_blocks_nobody(store: Store) -> None:
    def fail(_: Record | None) -> Record:
        raise KeyError("a fault of the caller's")

    store.records.put("kind", "key", {"a": 1})
    with pytest.raises(KeyError):
        store.records.change("kind", "key", fail)
    assert store.records.get("kind", "key") == {"a": 1}
    assert store.records.change("kind", "key", lambda _: {"a": 2}) == {"a": 2}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), object()])
def test_what_json_cannot_spell_is_refused_and_not_written(store: Store, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        store.records.put("kind", "key", {"a": value})
    assert store.records.get("kind", "key") is None


@pytest.fixture
def workers(open_home: Opening) -> Iterator[list[Store]]:
    yield [open_home() for _ in range(3)]


def test_what_one_worker_writes_the_others_read(workers: list[Store]) -> None:
    one, two, three = (worker.records for worker in workers)
    one.put("kind", "key", {"n": 1})
    two.change("kind", "key", lambda old: {"n": (old or {})["n"] + 1})
    assert three.get("kind", "key") == {"n": 2}
    three.delete("kind", "key")
    assert one.get("kind", "key") is None


def test_no_change_is_lost_however_many_are_made_at_once(workers: list[Store]) -> None:
    turns = count()

    def add() -> None:
        records = workers[next(turns) % len(workers)].records
        for _ in range(25):
            records.change("kind", "key", lambda old: {"n": (old or {"n": 0})["n"] + 1})

    together(6, add)
    assert workers[0].records.get("kind", "key") == {"n": 150}


def test_records_outlive_the_store_that_wrote_them(open_home: Opening) -> None:
    first = open_home()
    first.records.put("kind", "key", {"a": 1})
    first.close()
    assert open_home().records.get("kind", "key") == {"a": 1}


def test_a_home_that_answers_says_so(store: Store) -> None:
    assert store.ping()
    assert not store.degraded
