"""A gateway of two workers on a real cluster, and on a master that a sentinel watches; and then it dies."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import OpenAI
from ruamel.yaml import YAML

from tests.gateway import Gateway, eventually
from tests.integration.conftest import FAST
from tests.redis_cluster import RedisCluster
from tests.redis_sentinel import SentinelHouse
from tests.upstreams.openai_answers import openai_body
from tests.upstreams.server import Upstream
from tests.upstreams.steps import JSON, Head, Hold, Send, whole

USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
COST = 0.002
CALLERS = ("ann", "ten", "pool")
LIMITS = "glm:{glm:limits}"
PATIENCE = 20.0


@dataclass
class House:
    """The gateway, the provider behind it, and how to kill the redis that has its meters."""

    gateway: Gateway
    upstream: Upstream
    kill: Callable[[], object]

    def ask(self, name: str, **fields: Any) -> requests.Response:
        body = {"model": "dear", "max_tokens": 20, "messages": [{"role": "user", "content": "word " * 80}], **fields}
        headers = {"Authorization": f"Bearer key-of-{name}"}
        return self.gateway.post("/v1/chat/completions", body, headers=headers)

    def ask_often(self, times: int, name: str, **fields: Any) -> list[requests.Response]:
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda _: self.ask(name, **fields), range(times)))


def settings(upstream: Upstream, store: dict[str, Any]) -> dict[str, Any]:
    keys = [{"key": "k1", "slots": 1}, {"key": "k2", "slots": 1}]
    one = {"kind": "openai-compatible", "base_url": f"{upstream.url}/v1", "api_key": "k", "models": ["dear"]}
    two = {"kind": "openai-compatible", "base_url": f"{upstream.url}/v1", "keys": keys, "models": ["pooled"]}
    prices = {"prices": [{"since": "2020-01-01", "input": 10, "output": 50}]}
    return {
        "providers": {"one": one, "two": two},
        "models": {"dear": prices, "pooled": prices},
        "access": {"keys": [{"name": name, "key": f"key-of-{name}", "role": "operator"} for name in CALLERS]},
        "rate_limits": {"requests_per_minute": 10_000, "tokens_per_minute": 10_000_000},
        "cost_budget": {"daily_limit": 100, "keys": {"ten": {"daily_limit": 0.02}}},
        "store": store,
        "server": {"workers": 2},
    }


def cluster(stack: ExitStack, directory: Path) -> tuple[dict[str, Any], Callable[[], object]]:
    nodes = stack.enter_context(RedisCluster(directory, copied=LIMITS, password="of-the-cluster"))

    def kill() -> None:
        nodes.wait_until_copied()
        nodes.lose(nodes.owner(LIMITS))

    return {"redis_url": nodes.url}, kill


def sentinel(stack: ExitStack, directory: Path) -> tuple[dict[str, Any], Callable[[], object]]:
    servers = stack.enter_context(SentinelHouse(directory))

    def kill() -> None:
        servers.wait_until(servers.is_copied)
        servers.first.stop()

    return {"redis_url": servers.url, "sentinel_password": servers.SENTINEL_PASSWORD}, kill


@pytest.fixture(scope="module", params=[cluster, sentinel], ids=["cluster", "sentinel"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        store, kill = request.param(stack, tmp_path_factory.mktemp("redis"))
        upstream, directory = stack.enter_context(Upstream()), tmp_path_factory.mktemp("gateway")
        with (directory / "gateway.yaml").open("w") as file:
            YAML(typ="safe").dump(settings(upstream, store), file)
        yield House(stack.enter_context(Gateway(directory, **FAST)), upstream, kill)


@pytest.fixture
def house(running: House) -> House:
    running.upstream.reset()
    running.upstream.script(*whole(openai_body(usage=USED)), times=None)
    return running


def test_a_budget_for_ten_calls_is_exact(house: House) -> None:
    answers = Counter(one.status_code for one in house.ask_often(60, "ten"))
    while house.ask("ten").status_code == 200:
        assert len(house.upstream.requests) <= 10
    assert set(answers) == {200, 429}
    assert 9 <= len(house.upstream.requests) <= 10


def test_slots_of_a_pool_of_keys_are_exact(house: House) -> None:
    body = openai_body(model="pooled", usage=USED)
    house.upstream.script(Head(headers=JSON, length=len(body)), Hold(), Send(body), times=None)
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(house.ask, "pool", model="pooled") for _ in range(6)]
        assert eventually(lambda: len(house.upstream.requests) == 2)
        bearers = {request.headers["authorization"] for request in house.upstream.requests}
        assert bearers == {"Bearer k1", "Bearer k2"}
        stop = threading.Event()
        while not all(answer.done() for answer in answers):
            assert len(house.upstream.requests) - sum(answer.done() for answer in answers) <= 4
            house.upstream.release()
            stop.wait(0.02)
    assert Counter(answer.result().status_code for answer in answers) == {200: 6}


def conversation_of(house: House) -> tuple[OpenAI, str]:
    client = OpenAI(base_url=f"{house.gateway.url}/v1", api_key="key-of-ann", max_retries=0)
    return client, client.conversations.create().id


def say(client: OpenAI, conversation: str, text: str) -> None:
    body = {"conversation": conversation}
    client.chat.completions.create(model="dear", messages=[{"role": "user", "content": text}], extra_body=body)


def test_a_conversation_goes_on_at_any_worker(house: House) -> None:
    client, conversation = conversation_of(house)
    for number in range(4):
        say(client, conversation, f"turn {number}")
    sent = house.upstream.requests[-1].body["messages"]
    assert [message["content"] for message in sent if message["role"] == "user"] == [f"turn {n}" for n in range(4)]
    assert len(list(client.conversations.items.list(conversation))) == 8


def test_a_redis_that_dies_stops_nobody_and_its_successor_is_found(house: House) -> None:
    client, conversation = conversation_of(house)
    say(client, conversation, "before")
    house.kill()
    began = time.monotonic()
    assert Counter(one.status_code for one in house.ask_often(40, "ann")) == {200: 40}
    assert time.monotonic() - began < PATIENCE, "each waits for the store a fraction of a second at most"

    def has_recovered() -> bool:
        lost, found = house.gateway.events("store_degraded"), house.gateway.events("store_recovered")
        return len(lost) == len(found) > 0

    assert eventually(has_recovered), house.gateway.output
    assert Counter(one.status_code for one in house.ask_often(20, "ann")) == {200: 20}
    assert house.ask("ten").status_code == 429, "what was spent is known there"
    say(client, conversation, "after")
    sent = house.upstream.requests[-1].body["messages"]
    assert [message["content"] for message in sent if message["role"] == "user"] == ["before", "after"]
    assert not house.gateway.events("unexpected_error")
