"""Limits and budgets come back when their windows end, at two instances on one redis: all by a clock."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle

import pytest
import requests
from ruamel.yaml import YAML

from tests.fakes import FakeClock
from tests.gateway import Gateway
from tests.integration.conftest import FAST
from tests.integration.timed_kit import NOW, TimedGateway, logging_as_before
from tests.redis_server import RedisServer
from tests.upstreams.openai_answers import openai_body
from tests.upstreams.server import Upstream
from tests.upstreams.steps import whole

USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
PRICE = {"since": "2020-01-01", "input": 10, "output": 50}
COST = 0.002
"""Of 100 tokens at 10 and 20 at 50 dollars a million; a little more is reserved."""
HOUR, DAY = 3600.0, 86_400.0


@dataclass
class House:
    """Two instances, asked by turns, and the clock that both go by."""

    gateways: Sequence[Gateway]
    clock: FakeClock

    def __post_init__(self) -> None:
        self._turns = cycle(self.gateways)

    def ask(self, name: str) -> requests.Response:
        body = {"model": "m", "max_tokens": 20, "messages": [{"role": "user", "content": "word " * 80}]}
        return next(self._turns).post("/v1/chat/completions", body, headers=key(name))

    def statuses(self, name: str, times: int) -> list[int]:
        return [self.ask(name).status_code for _ in range(times)]

    def spent(self, name: str) -> float:
        (budget,) = next(self._turns).get("/v1/usage", headers=key(name)).json()["budgets"]
        return float(budget["spent_usd"])

    def pass_to(self, left: float, length: float) -> float:
        """Go on until so many seconds are left of a stretch of the clock; when it ends."""
        end = self.clock.now() // length * length + length
        end += length if end - left < self.clock.now() else 0
        self.clock.advance(end - left - self.clock.now())
        return end


def key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer key-of-{name}"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path_factory.mktemp("redis")))
        upstream = stack.enter_context(Upstream())
        upstream.script(*whole(openai_body(usage=USED)), times=None)
        stack.enter_context(logging_as_before())
        one = {"kind": "openai-compatible", "base_url": f"{upstream.url}/v1", "api_key": "k", "models": ["m"]}
        budgets = {"hourly": {"hourly_limit": 5 * COST}, "daily": {"daily_limit": 5 * COST}}
        callers = [{"name": name, "key": f"key-of-{name}"} for name in ("hourly", "daily", "tokens")]
        few = {"name": "few", "key": "key-of-few", "limits": {"requests_per_minute": 3}}
        few_tokens = {"limits": {"tokens_per_minute": 400}}
        settings = {
            "providers": {"one": one},
            "models": {"m": {"prices": [PRICE]}},
            "access": {"keys": [*callers[:2], {**callers[2], **few_tokens}, few]},
            "cost_budget": {"keys": budgets},
            "store": {"redis_url": redis.url, "timeout": 5},
        }
        clock = FakeClock(NOW)
        gateways: list[Gateway] = []
        for name in ("first", "second"):
            place = tmp_path_factory.mktemp(name)
            with (place / "gateway.yaml").open("w") as file:
                YAML(typ="safe").dump(settings, file)
            gateways.append(stack.enter_context(TimedGateway(place, clock, **FAST)))
        yield House(gateways, clock)


@pytest.mark.parametrize(("name", "length"), [("hourly", HOUR), ("daily", DAY)])
def test_a_budget_is_whole_again_at_the_end_of_its_window_and_not_before(
    house: House, name: str, length: float
) -> None:
    end = house.pass_to(10, length)
    assert house.statuses(name, 6) == [200, 200, 200, 200, 429, 429]
    refused = house.ask(name)
    details = refused.json()["error"]["details"]
    assert (refused.headers["Retry-After"], details["window"], details["scope"]) == ("10", name, "key")
    assert details["resets_at"] == datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")
    assert house.spent(name) == pytest.approx(4 * COST)
    house.clock.advance(9.5)
    assert house.statuses(name, 2) == [429, 429]
    house.clock.advance(0.5)
    assert house.spent(name) == 0
    assert house.statuses(name, 6) == [200, 200, 200, 200, 429, 429]


def test_requests_and_tokens_come_back_a_minute_after_they_were_used(house: House) -> None:
    assert house.statuses("few", 2) == [200, 200]
    house.clock.advance(20)
    assert house.statuses("few", 2) == [200, 429]
    assert house.ask("few").headers["Retry-After"] == "40"
    house.clock.advance(40)
    assert house.statuses("few", 3) == [200, 200, 429]
    assert house.statuses("tokens", 4) == [200, 200, 200, 429]
    house.clock.advance(59)
    assert house.statuses("tokens", 1) == [429]
    house.clock.advance(1)
    assert house.statuses("tokens", 1) == [200]
