"""How a store goes on without its shared home, and comes back to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.errors import StoreUnavailable
from core.store import resilient_records
from core.store.base import Overtaken, Record, Store, Window
from core.store.owed import Owed, Untried
from core.store.resilient import ResilientStore
from tests.fakes import FakeClock
from tests.unit.core.store_kit import Home

WINDOW = Window("k", 8, 60)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.close()


@pytest.fixture
def store(home: Home, clock: FakeClock) -> ResilientStore:
    return ResilientStore(home, clock)


def grants(store: Store, clock: FakeClock, tries: int = 20, window: Window = WINDOW) -> int:
    return sum(store.counters.take([window], clock.now()).granted for _ in range(tries))


@pytest.mark.parametrize(("workers", "share"), [(1, 8), (4, 2), (3, 2), (100, 1), (0, 8)])
def test_alone_it_grants_its_share_of_a_limit(
    store: ResilientStore, home: Home, clock: FakeClock, workers: int, share: int
) -> None:
    store.expect(workers)
    home.away = True
    assert grants(store, clock) == share
    clock.advance(60)
    assert grants(store, clock) == share, "its own windows slide too"


def test_a_share_of_a_limit_is_read_as_such(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    store.expect(4)
    home.away = True
    assert store.counters.take([WINDOW], clock.now()).readings[0].remaining == 1


def test_while_the_home_is_away_it_is_asked_once_a_second(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    home.away = True
    for _ in range(10):
        before = home.calls
        grants(store, clock)
        for call in (lambda: store.records.get("a", "b"), lambda: store.records.all("a"), store.ping):
            call()
        assert home.calls == before + 1
        clock.advance(1)


def test_it_comes_back_by_itself_within_a_second(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    home.away = True
    grants(store, clock)
    home.away = False
    assert store.degraded
    clock.advance(1)
    assert grants(store, clock) == 8, "the shared window, of which nothing was taken yet"
    assert not store.degraded


def test_only_one_call_tries_while_the_others_go_on_alone(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    home.away = True
    grants(store, clock)
    clock.advance(1)
    tried = home.calls

    def slow() -> None:
        home.calls += 1
        assert store.counters.take([WINDOW], clock.now()), "another request, while this one still waits for the home"
        raise StoreUnavailable("timeout")

    home.reached = slow  # type: ignore[method-assign] # the home hangs now
    grants(store, clock, tries=1)
    assert home.calls == tried + 1


def test_each_transition_is_logged_once(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    with capture_logs() as logs:
        for away in (False, True, False, True):
            home.away = away
            for _ in range(5):
                grants(store, clock)
                clock.advance(1)
    assert [entry["event"] for entry in logs] == ["store_degraded", "store_recovered", "store_degraded"]
    assert [entry["log_level"] for entry in logs] == ["error", "warning", "error"]


def test_the_log_says_why(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    def refused() -> None:
        raise StoreUnavailable("the shared store cannot be reached") from PermissionError("with a secret in it")

    home.reached = refused  # type: ignore[method-assign] # the home refuses now
    with capture_logs() as logs:
        grants(store, clock)
    assert logs[0]["cause"] == "PermissionError"
    assert "secret" not in str(logs)


def test_records_seen_before_can_still_be_read(store: ResilientStore, home: Home) -> None:
    store.records.put("put", "a", {"n": 1})
    store.records.change("changed", "b", lambda _: {"n": 2})
    home._real.records.put("read", "c", {"n": 3})
    home._real.records.put("listed", "d", {"n": 4})
    store.records.get("read", "c")
    store.records.all("listed")
    home.away = True
    for kind, key, record in (("put", "a", 1), ("changed", "b", 2), ("read", "c", 3), ("listed", "d", 4)):
        assert store.records.get(kind, key) == {"n": record}
        assert store.records.all(kind) == {key: {"n": record}}
    assert store.records.get("never", "seen") is None
    assert store.records.all("never") == {}


def test_of_what_is_somebodys_own_no_copy_is_kept(store: ResilientStore, home: Home) -> None:
    store.records.put("conversations:ann", "a", {"n": 1})
    store.records.change("conversations:ann", "a", lambda _: {"n": 2})
    assert store.records.get("conversations:ann", "a") == store.records.all("conversations:ann")["a"] == {"n": 2}
    home.away = True
    for key in ("a", "never seen"):
        with pytest.raises(StoreUnavailable):
            store.records.get("conversations:ann", key)
    with pytest.raises(StoreUnavailable):
        store.records.all("conversations:ann")


def test_the_kinds_of_a_million_conversations_leave_nothing_in_the_process(store: ResilientStore) -> None:
    copies = store.records._copies  # type: ignore[attr-defined] # that it does not grow is what is promised
    for number in range(50):
        store.records.put(f"conversation_turns:{number}", "a", {"n": 1})
        store.records.get(f"conversation_turns:{number}", "a")
    assert copies == {}


@pytest.mark.parametrize("seen", ["delete", "get", "all"])
def test_a_record_that_was_seen_to_be_gone_stays_gone(store: ResilientStore, home: Home, seen: str) -> None:
    store.records.put("kind", "key", {"n": 1})
    if seen == "delete":
        store.records.delete("kind", "key")
    else:
        home._real.records.delete("kind", "key")
        {"get": lambda: store.records.get("kind", "key"), "all": lambda: store.records.all("kind")}[seen]()
    home.away = True
    assert store.records.get("kind", "key") is None
    assert store.records.all("kind") == {}


def test_writing_is_refused_and_leaves_nothing_behind(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    store.records.put("kind", "key", {"n": 1})
    home.away = True
    writes: Mapping[str, Callable[[], object]] = {
        "put": lambda: store.records.put("kind", "key", {"n": 2}),
        "change": lambda: store.records.change("kind", "key", lambda _: {"n": 2}),
        "delete": lambda: store.records.delete("kind", "key"),
    }
    for write in writes.values():
        with pytest.raises(StoreUnavailable):
            write()
        assert store.records.get("kind", "key") == {"n": 1}
    home.away = False
    clock.advance(1)
    assert store.records.get("kind", "key") == {"n": 1}


def test_the_copy_of_what_was_seen_is_bounded(
    store: ResilientStore, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resilient_records, "MAX_COPIES", 3)
    for number in range(10):
        store.records.put("kind", str(number), {"n": 0})
    store.records.put("kind", "1", {"n": 1})
    home.away = True
    assert store.records.all("kind") == {"0": {"n": 0}, "1": {"n": 1}, "2": {"n": 0}}


def test_a_list_too_long_to_be_kept_leaves_no_older_one_in_its_place(
    store: ResilientStore, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resilient_records, "MAX_COPIES", 2)
    store.records.put("kind", "0", {"n": 0})
    for number in range(3):
        home._real.records.put("kind", str(number), {"n": 1})
    store.records.all("kind")
    home.away = True
    assert all(record == {"n": 1} for record in store.records.all("kind").values())


def test_no_lock_is_held_while_the_home_is_away(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    assert store.counters.lock("l", "one", 30, clock.now())
    home.away = True
    assert not store.counters.lock("l", "one", 30, clock.now())
    store.counters.unlock("l", "one")


def test_a_record_that_changes_too_fast_says_nothing_of_the_home(store: ResilientStore, home: Home) -> None:
    def overtaken(_: Record | None) -> Record:
        raise Overtaken("too fast")

    with pytest.raises(StoreUnavailable):
        store.records.change("kind", "key", overtaken)
    assert not store.degraded


def test_an_error_of_the_callers_says_nothing_of_the_home(store: ResilientStore, clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="window"):
        store.counters.take([Window("k", 1, 0)], clock.now())
    assert not store.degraded


def test_ping_says_whether_the_home_answers(store: ResilientStore, home: Home, clock: FakeClock) -> None:
    assert store.ping()
    home.away = True
    assert not store.ping()
    assert store.degraded
    home.away = False
    clock.advance(1)
    assert store.ping()
    assert not store.degraded


def test_alone_it_has_its_share_of_the_places_and_at_least_one(
    store: ResilientStore, home: Home, clock: FakeClock
) -> None:
    store.expect(4)
    home.away = True
    now = clock.now()
    assert [store.counters.claim("p", owner, 8, 15, now) for owner in "abc"] == [True, True, False]
    assert [store.counters.claim("q", owner, 1, 15, now) for owner in "ab"] == [True, False]
    store.counters.unclaim("q", "a")
    assert store.counters.claim("q", "b", 1, 15, now)


def test_a_place_that_was_taken_alone_is_given_back_when_the_home_has_returned(
    store: ResilientStore, home: Home, clock: FakeClock
) -> None:
    home.away = True
    assert store.counters.claim("p", "a", 1, 15, clock.now())
    home.away = False
    clock.advance(1)
    store.counters.unclaim("p", "a")
    home.away = True
    assert store.counters.claim("p", "b", 1, 15, clock.now())


def test_what_was_taken_alone_is_corrected_alone_and_what_was_taken_at_home_at_home(
    store: ResilientStore, home: Home, clock: FakeClock
) -> None:
    window, now = Window("k", 100, 3600, cost=40, kind="fixed"), clock.now()
    back = [replace(window, cost=-40)]
    at_home = store.counters.take([window], now)
    home.away = True
    alone = store.counters.take([window], now)
    assert (at_home.alone, alone.alone) == (False, True)
    store.counters.correct(back, now, now)
    home.away = False
    clock.advance(2)
    store.counters.correct(back, now, now, alone=True)
    reading = store.counters.take([replace(window, cost=0)], now).readings[0]
    assert reading.remaining == 60, "neither is mistaken for the other"


def test_what_the_home_could_not_be_told_is_made_up_for_when_it_is_back(
    store: ResilientStore, home: Home, clock: FakeClock
) -> None:
    window, now = Window("k", 100, 3600, cost=40, kind="fixed"), clock.now()
    for _ in range(2):
        assert store.counters.take([window], now).granted
    home.away = True
    assert not store.ping()
    for cost in (-40, -30):
        store.counters.correct([replace(window, cost=cost)], now, now)
    home.away = False
    clock.advance(2)
    store.save()
    assert store.counters.take([replace(window, cost=0)], clock.now()).readings[0].remaining == 90
    store.save()
    assert store.counters.take([replace(window, cost=0)], clock.now()).readings[0].remaining == 90, "once"


def test_a_place_that_was_left_while_the_home_was_away_is_free_when_it_is_back(
    store: ResilientStore, home: Home, clock: FakeClock
) -> None:
    places, now = store.counters, clock.now()
    assert all(places.claim("p", owner, 3, 60, now) for owner in "abc")
    home.away = True
    for owner in "ab":
        places.unclaim("p", owner)
    assert places.claim("p", "b", 3, 60, now), "somebody who comes again holds it"
    home.away = False
    clock.advance(2)
    assert places.held("p", clock.now()) == 3
    assert places.claim("p", "b", 3, 60, clock.now())
    store.save()
    assert places.held("p", clock.now()) == 2
    assert places.claim("p", "d", 3, 60, clock.now())


def test_what_the_home_may_have_been_told_is_not_told_twice(
    store: ResilientStore, home: Home, clock: FakeClock
) -> None:
    window, now = Window("k", 100, 3600, cost=40, kind="fixed"), clock.now()
    store.counters.take([window], now)
    home.away = True
    store.counters.correct([replace(window, cost=-40)], now, now)
    home.away = False
    clock.advance(2)
    store.save()
    assert store.counters.take([replace(window, cost=0)], clock.now()).readings[0].remaining == 60


def test_a_home_that_goes_away_again_is_told_the_rest_later() -> None:
    owed = Owed()
    for number in range(3):
        owed.note([WINDOW], float(number))
    told: list[float] = []

    def correct(_: Sequence[Window], at: float) -> None:
        if len(told) == 1:
            told.append(-1.0)
            raise Untried("away")
        told.append(at)

    owed.pay(correct)
    owed.pay(correct)
    assert told == [0.0, -1.0, 1.0, 2.0]
