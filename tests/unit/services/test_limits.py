"""Requests a minute, for each key and each address."""

from collections.abc import Sequence

import pytest

from config.settings import CostBudgetSettings, RateLimitSettings
from core.store.base import Taken, Window
from core.store.memory import MemoryCounters
from schemas.caller import Caller
from schemas.limit import Allowance
from services.bounds import BoundTable
from services.limits import LimitService, Standing
from tests.fakes import FakeClock

ALICE, BOB = Caller("a", "alice", "user"), Caller("b", "bob", "user")
OPEN = Caller("anonymous", "anonymous", "admin", anonymous=True)


class House:
    """A limit service with a clock; `trips` counts the ways to the store."""

    def __init__(
        self, per_key: int | None = None, per_ip: int | None = None, tokens_per_key: int | None = None
    ) -> None:
        self.clock = FakeClock()
        self.trips = 0
        self._counters = MemoryCounters()
        settings = RateLimitSettings(
            requests_per_minute=per_key, requests_per_minute_per_ip=per_ip, tokens_per_minute=tokens_per_key
        )
        bounds = BoundTable(settings, CostBudgetSettings())
        self.limits = LimitService(self, bounds, self.clock)  # type: ignore[arg-type] # the part that is used

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        self.trips += 1
        return self._counters.take(windows, now)

    def count(self, caller: Caller | None = ALICE, ip: str = "10.0.0.1", times: int = 1) -> Standing:
        return [self.limits.count(caller, ip) for _ in range(times)][-1]


def left(standing: Standing) -> Allowance:
    assert standing.requests is not None
    return standing.requests


def test_without_a_limit_nothing_is_counted() -> None:
    house = House()
    assert house.count() == Standing()
    assert house.trips == 0


def test_exactly_the_limit_is_let_through() -> None:
    house = House(per_key=3)
    standings = [house.count() for _ in range(5)]
    assert [standing.refusal is None for standing in standings] == [True, True, True, False, False]
    assert [left(standing).remaining for standing in standings] == [2, 1, 0, 0, 0]
    assert {left(standing).limit for standing in standings} == {3}


def test_each_key_has_its_own_limit_wherever_it_is_used() -> None:
    house = House(per_key=1)
    assert house.count(ALICE, "10.0.0.1").refusal is None
    assert house.count(BOB, "10.0.0.1").refusal is None
    assert house.count(ALICE, "10.0.0.2").refusal is not None


def test_each_address_has_its_own_limit_whoever_uses_it() -> None:
    house = House(per_ip=1)
    assert house.count(ALICE, "10.0.0.1").refusal is None
    assert house.count(ALICE, "10.0.0.2").refusal is None
    assert house.count(BOB, "10.0.0.1").refusal is not None


@pytest.mark.parametrize("caller", [None, OPEN])
def test_without_a_key_the_address_stands_for_the_caller(caller: Caller | None) -> None:
    house = House(per_key=1)
    assert house.count(caller, "10.0.0.1").refusal is None
    assert house.count(caller, "10.0.0.2").refusal is None
    assert house.count(caller, "10.0.0.1").refusal is not None


def test_a_key_cannot_be_mistaken_for_an_address() -> None:
    house = House(per_key=1, per_ip=1)
    assert house.count(Caller("10.0.0.1", "x", "user"), "10.0.0.9").refusal is None
    assert house.count(OPEN, "10.0.0.1").refusal is None


@pytest.mark.parametrize(("per_key", "per_ip", "scope", "limit"), [(2, 5, "key", 2), (5, 2, "ip", 2)])
def test_the_tightest_of_both_is_told(per_key: int, per_ip: int, scope: str, limit: int) -> None:
    house = House(per_key, per_ip)
    assert (left(house.count()).limit, left(house.count()).remaining) == (limit, 0)
    refusal = house.count().refusal
    assert refusal is not None
    assert refusal.details is not None
    assert refusal.details["scope"] == scope
    assert refusal.details["limit"] == limit


def test_when_both_are_full_the_one_that_opens_last_is_told() -> None:
    house = House(per_key=1, per_ip=1)
    house.count(ALICE, "10.0.0.2")
    house.clock.advance(20)
    house.count(BOB, "10.0.0.1")
    house.clock.advance(10)
    refusal = house.count(ALICE, "10.0.0.1").refusal
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(50)
    assert refusal.details is not None
    assert refusal.details["scope"] == "ip"


def test_of_an_unknown_caller_the_address_alone_is_counted() -> None:
    house = House(per_key=1, per_ip=3)
    assert [house.limits.count(None, "10.0.0.1", known=False).refusal is None for _ in range(4)] == [True] * 3 + [False]
    assert House(per_key=1).limits.count(None, "10.0.0.1", known=False) == Standing()


def test_an_address_without_room_is_told_the_same_whatever_its_key() -> None:
    house = House(per_key=2, per_ip=3, tokens_per_key=1000)
    house.count(ALICE, times=2)
    house.count(BOB)
    told = [house.count(ALICE), house.count(BOB), house.limits.count(None, "10.0.0.1", known=False)]
    assert {(one.requests, one.tokens) for one in told} == {(Allowance(3, 0, 60.0), None)}
    assert len({str(one.refusal.details) for one in told if one.refusal is not None}) == 1


def test_a_refused_request_counts_against_neither() -> None:
    house = House(per_key=1, per_ip=2)
    house.count(ALICE, times=10)
    assert house.count(BOB).refusal is None, "alice's refusals used up nothing of the address"


def test_both_are_asked_in_one_trip_to_the_store() -> None:
    house = House(per_key=5, per_ip=5)
    house.count()
    assert house.trips == 1


def test_a_refusal_says_when_the_window_opens_and_it_does() -> None:
    house = House(per_key=2)
    house.count()
    house.clock.advance(20)
    house.count()
    house.clock.advance(20)
    refusal = house.count().refusal
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(20)
    assert refusal.details == {
        "scope": "key",
        "name": "alice",
        "unit": "requests",
        "limit": 2,
        "remaining": 0,
        "requested": 1,
        "window_seconds": 60.0,
        "opens_in_seconds": 20.0,
    }
    assert "2 requests per minute" in refusal.message
    assert "20s" in refusal.message
    house.clock.advance(19.9)
    assert house.count().refusal is not None
    house.clock.advance(0.2)
    assert house.count().refusal is None


def test_the_time_until_all_is_back_is_that_of_the_newest_request() -> None:
    house = House(per_key=2)
    house.count()
    house.clock.advance(20)
    assert left(house.count()).reset_after == pytest.approx(60)
