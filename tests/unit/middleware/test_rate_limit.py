"""Requests are counted before they are handled, and what is left is told."""

import pytest

from config.settings import CostBudgetSettings, RateLimitSettings
from core.store.memory import MemoryCounters
from middleware.rate_limit import RateLimit
from services.allowance_headers import go_duration
from services.bounds import BoundTable
from services.limits import LimitService
from tests.fakes import FakeClock
from tests.unit.middleware.layered_kit import Layers

LIMIT, LEFT, RESET = (f"x-ratelimit-{name}-requests" for name in ("limit", "remaining", "reset"))


class House:
    """An application that takes so many requests a minute."""

    def __init__(self, limit: int | None, *, exempt: frozenset[str] = frozenset()) -> None:
        self.clock = FakeClock()
        settings = RateLimitSettings(requests_per_minute=limit)
        limits = LimitService(MemoryCounters(), BoundTable(settings, CostBudgetSettings()), self.clock)
        self.handled = 0
        self.layers = Layers(RateLimit(limits, exempt), view=self._view)

    def _view(self, name: str) -> str:
        self.handled += 1
        return name


def test_what_is_left_is_told_in_openais_headers() -> None:
    house = House(2)
    first = house.layers.ask().headers
    assert (first[LIMIT], first[LEFT], first[RESET]) == ("2", "1", "1m0s")
    house.clock.advance(0.5)
    second = house.layers.ask().headers
    assert (second[LIMIT], second[LEFT], second[RESET]) == ("2", "0", "1m0s")


def test_one_too_many_is_refused_before_it_is_handled_with_the_same_headers() -> None:
    house = House(1)
    house.layers.ask()
    house.clock.advance(17.5)
    refused = house.layers.ask()
    assert (refused.status_code, refused.get_json()["code"]) == (429, "rate_limit_exceeded")
    assert house.handled == 1
    headers = refused.headers
    assert (headers[LIMIT], headers[LEFT], headers[RESET]) == ("1", "0", "42.5s")
    assert headers["Retry-After"] == "43"
    assert "x-should-retry" not in headers
    house.clock.advance(43)
    assert house.layers.ask().status_code == 200


def test_a_failed_request_is_told_too_what_is_left() -> None:
    assert House(5).layers.ask("/nowhere").headers[LEFT] == "4"


def test_exempt_routes_are_not_counted() -> None:
    house = House(1, exempt=frozenset({"thing"}))
    answers = [house.layers.ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert all(LEFT not in answer.headers for answer in answers)


def test_without_a_limit_nothing_is_said() -> None:
    assert LEFT not in House(None).layers.ask().headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.017, "17ms"),
        (0.9996, "1s"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.996, "1m0s"),
        (60, "1m0s"),
        (90.5, "1m30.5s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (3661, "1h1m1s"),
    ],
)
def test_times_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
