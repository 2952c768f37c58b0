"""The requests that a key may make in a minute, over all workers at once."""

from collections.abc import Sequence

import gevent
import pytest

from core.credentials.flow import MINUTE
from core.credentials.permits import SHARE
from core.credentials.pool import CredentialPool
from core.errors import CredentialsExhausted, StoreUnavailable
from core.store.base import Taken, Window
from schemas.credential import Credential
from tests.unit.core.pools_kit import Plant, ident, key, wait


def granted(*pools: CredentialPool, times: int) -> int:
    """How many leases they give, in turn, without a sync."""
    count = 0
    for number in range(times):
        try:
            pools[number % len(pools)].lease().succeed(None, 0.1, None)
        except CredentialsExhausted:
            continue
        count += 1
    return count


@pytest.mark.parametrize("limit", [1, 10, 63, 64, 600])
def test_no_burst_over_all_workers_gets_past_the_limit_and_all_of_it_can_be_used(limit: int) -> None:
    plant = Plant(key("a", requests=limit))
    pools = [plant.worker(name) for name in "abcd"]
    assert granted(*pools, times=3 * limit) == limit
    plant.clock.advance(
        MINUTE + 2.1
    )  # what is taken together, and what is written down together, counts a little longer
    assert granted(*pools, times=3 * limit) == limit


def test_one_busy_worker_may_use_all_of_it() -> None:
    plant = Plant(key("a", requests=100))
    busy, _idle = plant.worker("busy"), plant.worker("idle")
    assert granted(busy, times=200) == 100


def test_who_is_refused_is_told_when_and_asks_no_more_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(key("a", requests=2))
    one, two = plant.worker("one"), plant.worker("two")
    assert granted(one, times=2) == 2
    plant.clock.advance(10)
    assert wait(two) == 50
    with monkeypatch.context() as patch:
        patch.delattr(type(plant.counters), "take")
        assert wait(two) == 50
    plant.clock.advance(50)
    assert granted(two, times=5) == 2


def test_another_key_is_taken_instead_and_no_slot_is_kept() -> None:
    plant = Plant(key("a", requests=1, slots=1), key("b"))
    one, two = plant.worker("one"), plant.worker("two")
    first = one.lease(prefer=ident("a"))
    assert first.credential.secret == "a"
    first.abandon()
    moved = two.lease(prefer=ident("a"))
    assert (moved.credential.secret, moved.overflows) == ("b", False)
    assert plant.counters.held(f"slots:{ident('a')}", plant.now) == 0


def test_far_from_its_limit_a_key_takes_few_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    plant, trips = Plant(key("a", requests=100 * SHARE)), list[int]()
    take = plant.counters.take
    monkeypatch.setattr(plant.counters, "take", lambda windows, now: trips.append(1) or take(windows, now))
    assert granted(plant.worker(), times=1000) == 1000
    assert len(trips) <= 12


def test_a_burst_that_waits_for_the_store_loses_no_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(key("a", requests=10 * SHARE))
    pool, take = plant.worker(), plant.counters.take

    def slow(windows: Sequence[Window], now: float) -> Taken:
        taken = take(windows, now)
        gevent.sleep(0)
        return taken

    monkeypatch.setattr(plant.counters, "take", slow)
    burst = [gevent.spawn(granted, pool, times=1) for _ in range(10 * SHARE)]
    gevent.joinall(burst, raise_error=True)
    assert sum(one.value for one in burst) == 10 * SHARE


def test_a_key_without_a_limit_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(Credential("p", "a"), key("b", input_tokens=100))
    monkeypatch.delattr(type(plant.counters), "take")
    assert granted(plant.worker(), times=9) == 9


def test_while_the_store_is_away_each_worker_keeps_to_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant(key("a", requests=3))

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(plant.counters, "take", away)
    assert granted(plant.worker(), times=9) == 3


def test_what_is_free_counts_as_no_request() -> None:
    plant = Plant(key("a", requests=3))
    pool = plant.worker()
    for _ in range(9):
        pool.lease(free=True).abandon()
    assert granted(pool, times=9) == 3
