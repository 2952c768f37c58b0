"""A redis that is paused, slow or killed while requests with limits and budgets are under way."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import pytest
import redis as redis_library
import requests
from ruamel.yaml import YAML

from tests.gateway import Gateway, eventually
from tests.integration.conftest import FAST
from tests.redis_server import RedisServer
from tests.upstreams.openai_answers import openai_body
from tests.upstreams.server import Upstream
from tests.upstreams.steps import whole

USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
COST = 0.002
PATIENCE = 20.0
LOAD = 300
FEW = 2.5
"""What may be left of answers that redis gave and a busy machine has read too late."""


@dataclass
class House:
    """Two gateways of two workers each, their redis, and the provider behind them."""

    gateways: list[Gateway]
    redis: RedisServer
    upstream: Upstream

    def ask(self, number: int) -> requests.Response:
        body = {"model": "priced", "max_tokens": 20_000, "messages": [{"role": "user", "content": "word " * 80}]}
        url = self.gateways[number % 2].url + "/v1/chat/completions"
        return requests.post(url, json=body, headers={"Authorization": "Bearer key-of-ann"}, timeout=PATIENCE)

    def ask_often(self, times: int) -> list[requests.Response]:
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(self.ask, range(times)))

    def spent(self) -> float:
        """No number while redis, of which a busy machine may hear too late, is taken to be away."""
        told = self.gateways[0].get("/v1/usage", headers={"Authorization": "Bearer key-of-ann"}).json()
        (budget,) = told.get("budgets") or [{"spent_usd": nan}]
        return float(budget["spent_usd"])

    def orders(self) -> list[int]:
        """What is answered to the orders to move the model, and to move it back."""
        path, own = "/v1/failover/priced", {"headers": {"Authorization": "Bearer key-of-op"}, "timeout": PATIENCE}
        url = self.gateways[0].url + path
        return [requests.request(method, url, **own).status_code for method in ("POST", "DELETE")]  # type: ignore[arg-type] # mixed options

    def moves_nothing(self) -> bool:
        """True when no worker takes the model for moved any more: each learns of the order a second later."""
        told = self.gateways[0].get("/v1/metrics", headers={"Authorization": "Bearer key-of-op"}).text
        return 'glm_failover_active{model="priced"} 1' not in told

    def has_recovered(self) -> bool:
        return all(len(one.events("store_recovered")) == len(one.events("store_degraded")) for one in self.gateways)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(tmp_path_factory.mktemp("redis")))
        upstream = stack.enter_context(Upstream())
        upstream.script(*whole(openai_body(usage=USED)), times=None)
        one = {"kind": "openai-compatible", "base_url": f"{upstream.url}/v1", "api_key": "k", "models": ["priced"]}
        settings: dict[str, Any] = {
            "providers": {"one": one},
            "models": {"priced": {"prices": [{"since": "2020-01-01", "input": 10, "output": 50}]}},
            "access": {
                "keys": [{"name": "ann", "key": "key-of-ann"}, {"name": "op", "key": "key-of-op", "role": "operator"}]
            },
            "failover": {"models": {"priced": "glm-4.7"}},
            "rate_limits": {"requests_per_minute": 10_000, "tokens_per_minute": 10_000_000, "concurrent_streams": 99},
            "cost_budget": {"daily_limit": 100},
            "store": {"redis_url": server.url},
            "server": {"workers": 2},
        }
        gateways = []
        for name in ("first", "second"):
            directory: Path = tmp_path_factory.mktemp(name)
            with (directory / "gateway.yaml").open("w") as file:
                YAML(typ="safe").dump(settings, file)
            gateways.append(stack.enter_context(Gateway(directory, **FAST)))
        yield House(gateways, server, upstream)


BUSY = """
local function now() local time = redis.call('TIME') return time[1] + time[2] / 1000000 end
local begun = now()
while now() < begun + 5 do end
return 1
"""
"""Keeps redis from answering anybody for five seconds."""


def paused(house: House) -> Callable[[], object]:
    house.redis.freeze()
    return house.redis.thaw


def slow(house: House) -> Callable[[], object]:
    client = redis_library.Redis.from_url(house.redis.url, socket_timeout=2 * PATIENCE)
    pool = ThreadPoolExecutor(1)
    busy = pool.submit(client.execute_command, "EVAL", BUSY, 0)
    # Until it is busy.
    assert eventually(lambda: not answers(house.redis))
    return lambda: (busy.result(), pool.shutdown(), client.close())


def answers(redis: RedisServer) -> bool:
    client = redis_library.Redis.from_url(redis.url, socket_timeout=0.1, retry=None)
    try:
        return bool(client.execute_command("PING"))
    except redis_library.RedisError:
        return False
    finally:
        client.close()


def killed(house: House) -> Callable[[], object]:
    house.redis.stop()
    return house.redis.start


@pytest.mark.parametrize("trouble", [paused, slow, killed], ids=["paused", "slow", "killed"])
def test_nothing_hangs_and_what_was_spent_stays_within_the_bound(
    house: House, trouble: Callable[[House], Callable[[], object]]
) -> None:
    assert eventually(lambda: house.spent() >= 0)
    before = house.spent()
    assert Counter(one.status_code for one in house.ask_often(20)) == {200: 20}
    assert eventually(lambda: house.spent() == pytest.approx(before + 20 * COST))
    assert eventually(house.moves_nothing)
    with ThreadPoolExecutor(16) as pool:
        # A dollar is reserved for each, of which nothing may be left over where redis did not answer in time.
        asked = [pool.submit(house.ask, number) for number in range(LOAD)]
        assert eventually(lambda: sum(one.done() for one in asked) >= 20)
        end = trouble(house)
        began = troubled = time.monotonic()
        # What is under way is let down, in the middle of whatever it does.
        load = Counter(one.result().status_code for one in asked)
    try:
        assert (load, time.monotonic() - began < PATIENCE) == ({200: LOAD}, True)
        began = time.monotonic()
        assert Counter(one.status_code for one in house.ask_often(40)) == {200: 40}
        assert time.monotonic() - began < PATIENCE, "each waits for the store a fraction of a second at most"
        assert house.orders() == [503, 200], "what cannot be told all workers is not done, and there is nothing to undo"
        assert eventually(lambda: time.monotonic() > troubled + 1), "for longer than anybody waits"
    finally:
        end()
    assert eventually(house.has_recovered)
    assert house.orders() == [200, 200]
    assert Counter(one.status_code for one in house.ask_often(20)) == {200: 20}
    # What was asked meanwhile was counted by each worker alone, and may have been settled in redis afterwards.
    assert eventually(lambda: 20 * COST <= house.spent() + 0.0001 <= before + (80 + LOAD) * COST + FEW)
    for gateway in house.gateways:
        assert not gateway.events("unexpected_error")
        assert not gateway.events("unexpected_error_in_stream")
