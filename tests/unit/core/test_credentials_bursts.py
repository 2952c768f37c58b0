"""Requests that meet at one key while it waits for the store, and leases for which nothing is sent in the end."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from core.credentials.pool import CredentialPool
from core.errors import CredentialsExhausted, NoCredentials, SlotsBusy, UpstreamQuotaExhausted
from core.store.memory import MemoryCounters
from tests.unit.core.pools_kit import PER_MODEL, REFILLS, Plant, fail, ident, info, key, reading, wait

HOUR = 3600
EMPTY = UpstreamQuotaExhausted("empty")


def far_away(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Others have their turn while one waits for the store."""

    def slow(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(self: MemoryCounters, *arguments: Any, **named: Any) -> Any:
            gevent.sleep(0)
            answer = ask(self, *arguments, **named)
            gevent.sleep(0)
            return answer

        return asked

    for name in names:
        monkeypatch.setattr(MemoryCounters, name, slow(getattr(MemoryCounters, name)))


def burst(pool: CredentialPool, times: int, **need: Any) -> list[str]:
    """The secrets that so many requests are given at the same time, "" for none."""

    def ask() -> str:
        try:
            return pool.lease(**need).credential.secret
        except (CredentialsExhausted, NoCredentials):
            return ""

    asking = [gevent.spawn(ask) for _ in range(times)]
    gevent.joinall(asking, raise_error=True)
    return [one.value for one in asking]


# At the same time


@pytest.mark.parametrize("facts", [{"slots": 50}, {"requests": 50}])
def test_a_burst_keeps_to_the_limit_of_tokens(monkeypatch: pytest.MonkeyPatch, facts: dict[str, int]) -> None:
    far_away(monkeypatch, "take", "claim")
    pool = Plant(key("a", input_tokens=1000, **facts)).worker()
    assert burst(pool, 10, tokens=500).count("a") == 2
    assert wait(pool, tokens=500) == 60, "and it is told when, as it is not slots that are missing"


def test_a_burst_keeps_to_what_the_provider_has_told(monkeypatch: pytest.MonkeyPatch) -> None:
    far_away(monkeypatch, "claim")
    plant = Plant(key("a", slots=50))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 3, plant.now + 30)])
    assert burst(pool, 10).count("a") == 3


@pytest.mark.parametrize("facts", [{"slots": 50}, {"requests": 50}])
def test_a_burst_tries_an_empty_key_once(monkeypatch: pytest.MonkeyPatch, facts: dict[str, int]) -> None:
    far_away(monkeypatch, "take", "claim")
    plant = Plant(key("a", **facts), key("b"))
    pool = plant.worker()
    fail(pool, EMPTY, "a")
    plant.clock.advance(HOUR)
    assert sorted(burst(pool, 10)) == ["a", *["b"] * 9]


def test_who_finds_the_slots_of_others_taken_has_reserved_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    far_away(monkeypatch, "claim")
    plant = Plant(key("a", slots=1, input_tokens=1000))
    one, two = plant.worker("one"), plant.worker("two")
    held = one.lease(tokens=10)
    assert burst(two, 5, tokens=900) == [""] * 5
    with pytest.raises(SlotsBusy):
        two.lease(tokens=900)
    held.abandon()
    assert two.lease(tokens=900).credential.secret == "a"
    assert info(two).in_use == 1


# Nothing was sent


def test_a_lease_that_is_declined_gives_back_all_that_it_took() -> None:
    plant = Plant(key("a", requests=2, input_tokens=1000, slots=1))
    pool = plant.worker()
    for _ in range(9):
        pool.lease(tokens=900).decline()
    used = pool.lease(tokens=900)
    used.decline()
    used.abandon()
    assert (info(pool).stats.total_requests, info(pool).in_use) == (0, 0)
    pool.lease(tokens=500).abandon()
    pool.lease(tokens=500).abandon()
    assert wait(pool) == 60


def test_many_that_are_declined_leave_all_of_the_limit_to_others() -> None:
    plant = Plant(key("a", requests=640))
    one, two = plant.worker("one"), plant.worker("two")
    for _ in range(640):
        one.lease().decline()
    plant.clock.advance(2)
    given = burst(two, 640).count("a")
    assert given >= 630, "what was taken together, and not used, is all that is lost"


@pytest.mark.parametrize("options", [{}, {"facts": PER_MODEL}, {"facts": REFILLS}])
def test_what_was_told_is_as_it_was(options: dict[str, Any]) -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"), **options)
    pool = plant.worker()
    told = [reading("requests", 5, plant.now + 30), reading("tokens", 40, plant.now + 30)]
    pool.learn(ident("a"), told, "m")
    before = pool.capacity("m")
    for _ in range(9):
        pool.lease(model="m", tokens=30).decline()
        assert pool.capacity("m") == before


def test_what_was_told_since_holds() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 5, plant.now + 30)])
    lease = pool.lease()
    plant.clock.advance(1)
    pool.learn(ident("a"), [reading("requests", 2, plant.now + 30)])
    lease.decline()
    assert pool.capacity().remaining_requests == 2


def test_a_trial_that_is_declined_is_the_next_ones() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, EMPTY)
    plant.clock.advance(HOUR)
    pool.lease().decline()
    assert pool.lease().credential.secret == "a"
