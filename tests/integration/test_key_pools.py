"""Pools of keys over a real redis: what several workers know of them together, and who waits for whom."""

import json
import re
import socket
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from config.settings import StoreSettings, TokenSettings
from core.credentials.ground import Ground, Manner
from core.credentials.pool import CredentialPool
from core.errors import CredentialsExhausted, NoCredentials, SlotsBusy, UpstreamQuotaExhausted, UpstreamRateLimited
from core.store.redis import RedisStore
from schemas.credential import Credential
from schemas.limit import PLAIN, KeyLimits, LimitFacts, LimitReading
from tests.fakes import FakeClock
from tests.gateway import Gateway, chunks_of, eventually, text_of
from tests.integration.conftest import environment
from tests.redis_server import RedisServer
from tests.upstreams.answers import glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import JSON, Drop, Events, Head, Hold, whole

PATIENT = 5.0
MODEL = "m"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


class Plant:
    """Workers with connections of their own to one redis, whose clock moves when told."""

    def __init__(self, redis: RedisServer, *keys: Credential) -> None:
        self.clock = FakeClock()
        self.keys = keys
        self._settings = StoreSettings(redis_url=SecretStr(redis.url), prefix=f"test-{uuid4().hex}", timeout=PATIENT)
        self._stores: list[RedisStore] = []

    def worker(self, name: str, facts: LimitFacts = PLAIN) -> CredentialPool:
        store = RedisStore(self._settings)
        self._stores.append(store)
        rng = Random(len(self._stores))
        ground = Ground(store.records, store.counters, TokenSettings(), self.clock, name, rng)
        return CredentialPool("p", self.keys, ground, Manner(facts=facts))

    def close(self) -> None:
        for store in self._stores:
            store.close()


@pytest.fixture
def plants(redis: RedisServer) -> Iterator[list[Plant]]:
    """Where a test puts its plant, so that it is closed."""
    made: list[Plant] = []
    yield made
    for plant in made:
        plant.close()


def planted(plants: list[Plant], redis: RedisServer, *keys: Credential) -> Plant:
    plants.append(Plant(redis, *keys))
    return plants[-1]


def keys(count: int, **facts: Any) -> list[Credential]:
    return [Credential("p", f"key-{number}", **facts) for number in range(count)]


def test_no_key_is_asked_before_its_time_however_many_requests_come(plants: list[Plant], redis: RedisServer) -> None:
    """Two hundred requests on three workers, five a second, while every answer is a 429 that says ten seconds."""
    plant = planted(plants, redis, *keys(3))
    workers = [plant.worker(f"worker {number}") for number in range(3)]
    asked: dict[str, list[float]] = defaultdict(list)
    told: list[tuple[float | None, float]] = []
    for number in range(200):
        worker, excluded = workers[number % 3], frozenset[str]()
        worker.sync()
        while True:
            try:
                lease = worker.lease(excluded, model=MODEL, tokens=100)
            except CredentialsExhausted as none_left:
                soonest = min(times[-1] for times in asked.values()) + 10 - plant.clock.now()
                told.append((none_left.retry_after, soonest))
                break
            asked[lease.credential.id].append(plant.clock.now())
            lease.fail(UpstreamRateLimited("slow", retry_after=10), 0.1)
            excluded |= {lease.credential.id}
        plant.clock.advance(0.2)
    assert len(told) == 200
    for retry_after, soonest in told:
        assert retry_after == pytest.approx(soonest)
    assert len(asked) == 3
    for times in asked.values():
        assert len(times) == 4, "once in ten seconds"
        assert all(later - earlier >= 10 for earlier, later in pairwise(times))


@pytest.mark.parametrize(("facts", "wait"), [(PLAIN, 30), (LimitFacts(refills=True), 0.6)])
def test_what_one_worker_learns_and_spends_the_others_know_with_their_next_sync(
    plants: list[Plant], redis: RedisServer, facts: LimitFacts, wait: float
) -> None:
    """A window gives all back at its reset; of a bucket that holds a thousand, ten are back after 0.6 seconds."""
    plant = planted(plants, redis, *keys(2, limits=KeyLimits(requests=4)))
    one, two = plant.worker("one", facts), plant.worker("two", facts)
    first, second = plant.keys
    one.learn(first.id, [LimitReading("tokens", 1000, 0, plant.clock.now() + 30)], MODEL)
    for _ in range(3):
        one.lease(model=MODEL, prefer=second.id).succeed(None, 1, None)
    one.sync()
    two.sync()
    assert two.lease(model=MODEL, tokens=10).credential.id == second.id
    with pytest.raises(CredentialsExhausted) as caught:
        two.lease(model=MODEL, tokens=10)
    assert caught.value.retry_after == pytest.approx(wait)
    plant.clock.advance(wait)
    assert two.lease(model=MODEL, tokens=10).credential.id == first.id


def test_a_burst_over_four_workers_stays_within_the_limit_of_the_key(plants: list[Plant], redis: RedisServer) -> None:
    plant = planted(plants, redis, *keys(1, limits=KeyLimits(requests=10)))
    workers = [plant.worker(name) for name in "abcd"]

    def granted(number: int) -> bool:
        try:
            workers[number % 4].lease().succeed(None, 1, None)
        except CredentialsExhausted:
            return False
        return True

    assert sum(map(granted, range(120))) == 10
    plant.clock.advance(61)
    assert sum(map(granted, range(120))) == 10


def test_what_is_known_of_an_account_outlives_all_workers(plants: list[Plant], redis: RedisServer) -> None:
    plant = planted(plants, redis, *keys(3, account="x"))
    plant.worker("one").lease(model=MODEL).fail(
        UpstreamQuotaExhausted("no", code="usage_limit_reached", retry_after=500), 1
    )
    with pytest.raises(CredentialsExhausted) as caught:
        plant.worker("after a restart").lease(model=MODEL)
    assert caught.value.retry_after == 500


def test_slots_are_shared_and_those_of_a_killed_worker_come_back(plants: list[Plant], redis: RedisServer) -> None:
    plant = planted(plants, redis, *keys(1, slots=2))
    killed, alive, third = plant.worker("killed"), plant.worker("alive"), plant.worker("third")
    killed.lease()
    kept = alive.lease()
    with pytest.raises(SlotsBusy):
        third.lease()
    for _ in range(14):
        plant.clock.advance(1)
        alive.sync()
    with pytest.raises(SlotsBusy):
        third.lease()
    plant.clock.advance(1)
    alive.sync()
    third.lease()
    with pytest.raises(SlotsBusy):
        third.lease()
    kept.abandon()
    third.lease()


def test_a_key_that_is_topped_up_comes_back_on_all_workers(plants: list[Plant], redis: RedisServer) -> None:
    plant = planted(plants, redis, *keys(1))
    one, two = plant.worker("one"), plant.worker("two")
    one.lease().fail(UpstreamQuotaExhausted("empty"), 1)
    two.sync()
    with pytest.raises(NoCredentials):
        two.lease()
    plant.clock.advance(3600)
    two.lease().succeed(None, 1, None)
    one.sync()
    one.lease()
    one.lease()


# Whole gateways


def key_settings(**facts: Any) -> str:
    return json.dumps([{"key": f"{name}.secret", "name": name, **facts} for name in ("first", "second", "third")])


def test_two_hundred_requests_ask_keys_that_are_told_to_wait_only_once_or_so(
    upstream: Upstream, redis: RedisServer, tmp_path: Path
) -> None:
    slow = whole(b'{"error":{"code":"1302","message":"slow down"}}', 429, {**JSON, "Retry-After": "120"})
    upstream.script(slow, times=None)
    settings = environment(upstream, GLM_API_KEY="", REDIS_URL=redis.url, GATEWAY__STORE__PREFIX=uuid4().hex)
    with Gateway(tmp_path, **settings, GATEWAY__PROVIDERS__GLM__KEYS=key_settings()) as gateway:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: gateway.chat(), range(100)))
        assert {answer.status_code for answer in answers} == {429}
        assert len(upstream.requests) <= 48, "each key by each worker, and by what was under way there at first"

        def known_everywhere() -> bool:
            asked = len(upstream.requests)
            return all(gateway.chat().status_code == 429 for _ in range(20)) and len(upstream.requests) == asked

        assert eventually(known_everywhere)
        asked = len(upstream.requests)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: gateway.chat(), range(100)))
        assert len(upstream.requests) == asked, "no key is asked before its time"
    for answer in answers:
        assert answer.json()["error"]["code"] == "credentials_exhausted"
        assert answer.json()["error"]["details"]["until"]
        assert 60 < int(answer.headers["Retry-After"]) <= 120
        assert answer.headers["X-Gateway-Capacity-Keys"] == "0"


def test_a_conversation_is_tried_once_more_where_it_is_warm(upstream: Upstream, tmp_path: Path) -> None:
    settings = environment(upstream, GLM_API_KEY="", GATEWAY__PROVIDERS__GLM__KEYS=key_settings())
    with Gateway(tmp_path, **settings) as gateway:
        for _ in range(2):
            assert gateway.chat(headers={"x-session-id": "s"}).ok
        for trouble in (whole(b"", 429, {"Retry-After": "1"}), [Drop()]):
            upstream.script(trouble, times=1)
            answer = gateway.chat(headers={"x-session-id": "s"})
            assert (answer.status_code, answer.headers["X-Gateway-Attempts"]) == (200, "2")
        assert len(upstream.requests) == 6
        assert len({request.bearer for request in upstream.requests}) == 1


def metric(gateway: Gateway, name: str) -> float:
    found = re.search(rf'^{name}{{provider="glm"}} (\S+)$', gateway.get("/v1/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_a_plan_for_one_call_at_a_time_is_waited_for_with_signs_of_life(
    upstream: Upstream, redis: RedisServer, tmp_path: Path
) -> None:
    upstream.script([Head(), Events(glm_stream("first")[:2]), Hold(), Events(glm_stream("first")[2:])])
    upstream.script([Head(), Events(glm_stream("second"))])
    plan = json.dumps([{"key": "plan.secret", "slots": 1, "requests_per_minute": 10}])
    settings = environment(upstream, GLM_API_KEY="", REDIS_URL=redis.url, GATEWAY__STORE__PREFIX=uuid4().hex)
    with Gateway(tmp_path, **settings, GATEWAY__PROVIDERS__GLM__KEYS=plan) as gateway:
        first = gateway.chat(version="v2", stream=True)
        assert upstream.wait_held()
        assert first.headers["X-Gateway-Capacity-Keys"] == "1"
        assert first.headers["X-Gateway-Capacity-Requests"] == "9"
        second = gateway.chat(version="v2", stream=True)
        assert second.status_code == 200
        lines = second.iter_lines(chunk_size=1)
        assert next(lines) == b": keep-alive"
        assert len(upstream.requests) == 1, "one call at a time, whichever worker it is on"
        assert metric(gateway, "glm_queue_waiting") == 1
        upstream.release()
        assert text_of(chunks_of(first)) == "first"
        data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
        assert text_of([json.loads(entry) for entry in data[:-1]]) == "second"
        assert eventually(lambda: metric(gateway, "glm_queue_wait_seconds_count") == 1)
        assert metric(gateway, "glm_queue_waiting") == 0
        (token,) = gateway.get("/v1/tokens").json()["data"]
    assert (token["slots"], token["limits"][0]["kind"], token["limits"][0]["limit"]) == (1, "requests", 10)


def test_an_embedding_whose_client_leaves_the_queue_is_never_asked_for(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script([Head(), Events(glm_stream("first")[:2]), Hold(), Events(glm_stream("first")[2:])])
    plan = json.dumps([{"key": "plan.secret", "slots": 1}])
    settings = environment(upstream, GLM_API_KEY="", GATEWAY__PROVIDERS__GLM__QUEUE__MAX_WAIT="300")
    with Gateway(tmp_path, **settings, GATEWAY__PROVIDERS__GLM__KEYS=plan) as gateway:
        first = gateway.chat(version="v2", stream=True)
        assert upstream.wait_held()
        body = b'{"model": "embedding-3", "input": "Hi"}'
        with socket.create_connection(("127.0.0.1", gateway.port), PATIENT) as leaving:
            leaving.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert eventually(lambda: metric(gateway, "glm_queue_waiting") == 1)
        assert eventually(lambda: metric(gateway, "glm_queue_waiting") == 0)
        assert upstream.wait_held(), "while the slot is taken still"
        upstream.release()
        assert text_of(chunks_of(first)) == "first"
        assert len(upstream.requests) == 1


def test_embeddings_are_shown_of_their_provider_as_chats_are(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **environment(upstream)) as gateway:
        question = {"model": "embedding-3", "input": "Hi"}
        assert gateway.post("/v1/embeddings", question).ok
        upstream.script(whole(b'{"error":{"code":"1301","message":"unsafe"}}', 400, JSON), times=1)
        assert gateway.post("/v1/embeddings", question).status_code == 400
        told = gateway.get("/v1/providers/glm").json()
    assert told["requests"] == {"succeeded": 1, "failed": 1}
    assert told["latency"]["samples"] == 1
    assert [one["model"] for one in told["last_errors"]] == ["embedding-3"]
    assert told["reachability"]["reachable"] is True
