"""What the workers know together, and still know after a stop, a kill -9, or the loss of one of them."""

import json
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment, rest
from tests.redis_server import RedisServer
from tests.upstreams.answers import TEXT, USAGE, glm_error, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import JSON, Events, Head, Hold, whole

SOON = 10.0
"""Seconds: the workers share news every second, and the machine may be busy."""


@contextmanager
def only(gateway: Gateway, worker: int) -> Iterator[None]:
    """Have this worker answer everything, by stopping the others meanwhile."""
    others = [pid for pid in gateway.workers() if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def on_each_worker(gateway: Gateway, path: str) -> list[Any]:
    """What each of the workers answers to a GET."""
    answers = []
    for worker in gateway.workers():
        with only(gateway, worker):
            answers.append(gateway.get(path).json())
    return answers


def tokens(gateway: Gateway) -> list[dict[str, Any]]:
    return list(gateway.get("/v1/tokens").json()["data"])


def known_everywhere(gateway: Gateway, **fields: Any) -> bool:
    """True once every worker says that of each token."""

    def all_say_so() -> bool:
        listings = [listing["data"] for listing in on_each_worker(gateway, "/v1/tokens")]
        return all(token[name] == value for data in listings for token in data for name, value in fields.items())

    return eventually(all_say_so, SOON)


def refuse_one_and_slow_the_other(upstream: Upstream) -> None:
    """The first of the two keys is refused from now on, and the second is told to wait for five minutes."""
    wait = whole(b'{"error":{"code":"1302","message":"slow down"}}', 429, {**JSON, "Retry-After": "300"})
    upstream.script(glm_error("1000", 401), times=None, when=lambda request: request.bearer == "first.secret")
    upstream.script(wait, times=None, when=lambda request: request.bearer == "second.secret")


@pytest.fixture
def rested(shared: Gateway) -> Iterator[Gateway]:
    """Four workers on redis, whose token is reset afterwards."""
    yield shared
    rest(shared)


def test_a_key_that_is_refused_is_out_on_every_worker_until_it_is_reset(rested: Gateway, upstream: Upstream) -> None:
    upstream.script(glm_error("1000", 401))
    assert rested.chat().json()["error"]["code"] == "upstream_unauthorized"
    assert known_everywhere(rested, status="blacklisted", health_score=0, reason="the provider refuses it")
    for worker in rested.workers():
        with only(rested, worker):
            assert rested.chat().json()["error"]["code"] == "no_credentials"
    assert len(upstream.requests) == 1, "no worker asked again"
    with only(rested, rested.workers()[0]):
        rest(rested)
    assert known_everywhere(rested, status="available", reason=None)
    for worker in rested.workers():
        with only(rested, worker):
            assert rested.chat().status_code == 200


@pytest.fixture(scope="module", params=["embedded", "shared"])
def two_keys(
    request: pytest.FixtureRequest, provider: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with two keys, in each home."""
    settings = environment(provider, GLM_API_KEY="first.secret,second.secret")
    directory = tmp_path_factory.mktemp("two_keys")
    if request.param == "embedded":
        with Gateway(directory, **settings) as gateway:
            yield gateway
    else:
        with RedisServer(directory) as redis, Gateway(directory, **settings, REDIS_URL=redis.url) as gateway:
            yield gateway


def held(gateway: Gateway) -> list[dict[str, tuple[object, ...]]]:
    """What each worker says is held against which key."""
    facts = ("status", "cooldown_until", "reason")
    listings = [listing["data"] for listing in on_each_worker(gateway, "/v1/tokens")]
    return [{token["id"]: tuple(token[fact] for fact in facts) for token in listing} for listing in listings]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_is_held_against_a_key_outlives_the_gateway(two_keys: Gateway, upstream: Upstream, how: str) -> None:
    refuse_one_and_slow_the_other(upstream)
    two_keys.chat()
    assert sorted(request.bearer for request in upstream.requests) == ["first.secret", "second.secret"]
    troubles = {("blacklisted", "the provider refuses it"), ("available", "rate limited")}

    def known() -> bool:
        return all({(status, reason) for status, _, reason in one.values()} == troubles for one in held(two_keys))

    assert eventually(known, SOON)
    before = held(two_keys)[0]
    getattr(two_keys, how)()
    two_keys.start()
    asked = len(upstream.requests)
    assert all(one == before for one in held(two_keys))
    refused = two_keys.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "credentials_exhausted")
    assert 200 < int(refused.headers["Retry-After"]) <= 300
    assert len(upstream.requests) == asked, "no key is tried again because the gateway forgot"
    rest(two_keys)
    assert known_everywhere(two_keys, status="available", cooldown_until=None)
    upstream.reset()
    assert two_keys.chat().status_code == 200


SUMS = ("total_requests", "successful_requests", "failed_requests", "total_input_tokens", "total_output_tokens")


def test_what_all_workers_did_is_added_up(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(glm_error("1234", 500))
    with RedisServer(tmp_path) as redis, Gateway(tmp_path, **environment(upstream, REDIS_URL=redis.url)) as gateway:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: gateway.chat().status_code, range(40)))
        assert answers == [200] * 40, "the one that failed was tried again"
        expected = dict(zip(SUMS, (41, 40, 1, 40 * 9, 40 * 12), strict=True))

        def stats_everywhere() -> list[dict[str, Any]]:
            return on_each_worker(gateway, "/v1/tokens/stats")

        def added_up() -> bool:
            return all({name: one[name] for name in SUMS} == expected for one in stats_everywhere())

        assert eventually(added_up, SOON), (expected, stats_everywhere())
        one = stats_everywhere()[0]
    assert (USAGE["prompt_tokens"], USAGE["completion_tokens"]) == (9, 12)
    assert one["success_rate"] == pytest.approx(40 / 41)
    assert one["tokens"][0]["stats"]["errors"] == {"upstream_server_error": 1}


def written(gateway: Gateway) -> int:
    """The requests that the home of an embedded gateway has on record."""
    with closing(sqlite3.connect(gateway.directory / "data" / "gateway.db")) as file:
        records = file.execute("SELECT value FROM records WHERE kind = 'credential'").fetchall()
    return sum(json.loads(value)["tally"]["requests"] for (value,) in records)


def test_what_was_counted_outlives_a_kill_9_but_for_the_last_second(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **environment(upstream)) as gateway:
        for _ in range(5):
            assert gateway.chat().status_code == 200
        assert eventually(lambda: written(gateway) == 5, SOON)
        gateway.kill()
        gateway.start()
        stats = gateway.get("/v1/tokens/stats").json()
    assert {name: stats[name] for name in SUMS} == dict(zip(SUMS, (5, 5, 0, 45, 60), strict=True))


def answers_counted(gateway: Gateway) -> float:
    """The good answers of /v2, as the metrics tell them."""
    labels = 'endpoint="/v2/chat/completions",method="POST",status="200"'
    found = re.search(rf"^glm_requests_total\{{{labels}\}} (\S+)$", gateway.get("/v1/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_any_worker_tells_the_metrics_of_all(rested: Gateway, upstream: Upstream) -> None:
    before = answers_counted(rested)
    for worker in rested.workers():
        with only(rested, worker):
            for _ in range(3):
                assert rested.chat(version="v2").status_code == 200
    # An answer is counted when it has been sent, for which every worker must be running.
    assert eventually(lambda: answers_counted(rested) == before + 12, SOON)
    for worker in rested.workers():
        with only(rested, worker):
            assert answers_counted(rested) == before + 12


def hold_a_stream(upstream: Upstream) -> None:
    upstream.script([Head(), Events(glm_stream(TEXT)[:2]), Hold(), *[Events(glm_stream(TEXT)[2:])]])


def test_a_worker_that_is_killed_takes_only_its_own_requests_with_it(rested: Gateway, upstream: Upstream) -> None:
    """The one slow test: what the dead worker held is given up when its sign of life is fifteen seconds old."""
    before = rested.workers()
    doomed = before[0]
    hold_a_stream(upstream)
    with only(rested, doomed):
        lost = rested.chat(stream=True)
    assert upstream.wait_held()
    assert known_everywhere(rested, status="in_use", in_use=1)
    hold_a_stream(upstream)
    with only(rested, before[1]):
        kept = rested.chat(version="v2", stream=True)
    assert upstream.wait_held(2)

    os.kill(doomed, signal.SIGKILL)
    with pytest.raises(Exception, match=r"(?i)prematurely|broken|incomplete|reset|aborted"):
        list(lost.iter_lines())
    lines = kept.iter_lines()
    upstream.release(2)
    assert b"data: [DONE]" in list(lines), "a stream on another worker ends as if nothing had happened"

    assert eventually(lambda: len(rested.workers()) == 4 and doomed not in rested.workers())
    (new,) = set(rested.workers()) - set(before)

    def answers() -> bool:
        with only(rested, new):
            return bool(rested.chat().status_code == 200)

    assert answers()
    assert eventually(lambda: tokens(rested)[0]["in_use"] == 0)


def write(file: Path, content: object) -> None:
    """As whoever changes such a file should: at once, so that nobody reads half of it."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(file)


def test_the_token_file_is_followed_while_running(upstream: Upstream, tmp_path: Path) -> None:
    def names_everywhere(*names: str | None) -> bool:
        def all_have_them() -> bool:
            listings = on_each_worker(gateway, "/v1/tokens")
            return all(sorted(token["name"] for token in one["data"]) == sorted(names) for one in listings)

        return eventually(all_have_them)

    file = tmp_path / "token.json"
    write(file, [{"token": "token-one", "name": "one"}])
    settings = environment(upstream, GLM_API_KEY="", GLM_WEB_ENDPOINT=f"{upstream.url}/api/chat/completions")
    with RedisServer(tmp_path) as redis, Gateway(tmp_path, **settings, REDIS_URL=redis.url) as gateway:
        assert names_everywhere("one")
        assert gateway.chat().status_code == 200
        assert {request.bearer for request in upstream.requests} == {"token-one"}

        write(file, {"tokens": [{"token": "token-one", "name": "one"}, {"token": "token-two", "name": "two"}]})
        assert names_everywhere("one", "two")
        for _ in range(20):
            assert gateway.chat().status_code == 200
        assert {request.bearer for request in upstream.requests} == {"token-one", "token-two"}

        write(file, [{"token": "token-two", "name": "renamed"}])
        assert names_everywhere("renamed")
        upstream.reset()
        for _ in range(4):
            assert gateway.chat().status_code == 200
        assert {request.bearer for request in upstream.requests} == {"token-two"}

        file.unlink()
        assert names_everywhere()
        assert gateway.chat().json()["error"]["code"] in ("no_credentials", "model_not_found")
