"""Another configuration takes effect while requests run: at whose word, on all workers, whole or not at all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gateway import KEEP, ROOT, Gateway, chunks_of, eventually, text_of
from tests.integration.reload_kit import BOSS, Changing, spelled, swapped
from tests.redis_server import RedisServer
from tests.upstreams.openai_answers import openai_error, openai_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import End, Events, Head, Hold

OTHER = "key-of-another"
WORDS = openai_stream("so it began and so it ends")


@contextmanager
def running(directory: Path, *instances: str, **environment: str) -> Iterator[Changing]:
    with Upstream() as upstream:
        gateway = Gateway(directory, **environment)
        house = Changing(gateway, upstream)
        house.write(house.configuration(*instances))
        with gateway:
            assert eventually(lambda: len(house.shown()["workers"]) == len(gateway.workers()))
            yield house


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    """Four workers on a real redis."""
    directory = tmp_path_factory.mktemp("shared")
    with RedisServer(directory) as redis, running(directory, "a", REDIS_URL=redis.url) as house:
        yield house


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    """One worker, and all state in its process and a file."""
    with running(tmp_path_factory.mktemp("embedded"), "a") as house:
        yield house


@pytest.fixture
def four(shared: Changing) -> Changing:
    """Four workers that go by one instance."""
    return fresh(shared)


@pytest.fixture
def one(embedded: Changing) -> Changing:
    """The same with one worker."""
    return fresh(embedded)


def fresh(house: Changing) -> Changing:
    house.upstream.reset()
    house.reloaded(house.configuration("a"), key=BOSS)
    return house


@contextmanager
def stream_under_way(house: Changing) -> Iterator[requests.Response]:
    """A stream of the instance that is in effect now, in the middle of its answer."""
    house.upstream.script(Head(), Events(WORDS[:4]), Hold(), Events(WORDS[4:]), End())
    with house.ask(stream=True, model="m") as answer:
        assert answer.status_code == 200
        assert house.upstream.wait_held()
        yield answer


def ended_well(house: Changing, answer: requests.Response) -> None:
    house.upstream.release()
    chunks = chunks_of(answer)
    assert text_of(chunks) == "so it began and so it ends"
    assert chunks[-1]["choices"] == [] or chunks[-1]["choices"][0]["finish_reason"] == "stop"


def providers_of(house: Changing, times: int = 24, model: str = "m", key: str | None = None) -> set[str]:
    """Who answers, over as many connections, so that every worker is asked."""
    return {house.ask(key, model=model).headers.get("X-Gateway-Provider", "none") for _ in range(times)}


def test_a_stream_ends_as_it_began_while_every_worker_goes_by_the_new(four: Changing) -> None:
    workers = four.gateway.workers()
    with stream_under_way(four) as answer:
        told = four.reloaded(four.configuration("b", key=OTHER), key=OTHER)
        assert told["changed"]
        assert [worker["newest"] for worker in four.shown()["workers"]] == [True] * 4
        assert providers_of(four) == {"b"}
        assert {four.ask(BOSS).status_code for _ in range(24)} == {401}, "the removed key opens no worker"
        ended_well(four, answer)
    assert four.gateway.workers() == workers
    # The admin's old key and the instance come back as well.
    four.reloaded(four.configuration("a"), key=BOSS)
    assert providers_of(four) == {"a"}


def test_a_signal_to_the_first_process_is_enough_and_replaces_no_worker(four: Changing) -> None:
    workers = four.gateway.workers()
    assert four.gateway.process is not None
    with stream_under_way(four) as answer:
        four.write(four.configuration("a", rate_limits={"requests_per_minute": 5000}))
        os.kill(four.gateway.process.pid, signal.SIGHUP)
        assert eventually(lambda: four.shown()["settings"]["rate_limits"]["requests_per_minute"] == 5000)
        assert eventually(lambda: all(worker["newest"] for worker in four.shown()["workers"]))
        ended_well(four, answer)
    assert four.gateway.workers() == workers


@pytest.mark.parametrize("how", ["replaced", "written over", "behind a link"])
def test_a_file_that_changes_is_seen(one: Changing, how: str) -> None:
    wanted = one.configuration("a", logging={"level": "DEBUG"}, routes=[{"name": how, "targets": [{"model": "m-a"}]}])
    if how == "replaced":
        one.write(wanted)
    elif how == "written over":
        one.file.write_text(spelled(wanted))
    else:
        swapped(one.file, wanted)
    assert eventually(lambda: one.shown()["settings"]["logging"]["level"] == "DEBUG")
    assert one.shown()["last_reload"]["ok"]
    question = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert how in one.gateway.post("/v1/route/explain", question, headers=one.headers()).text


def test_all_workers_see_a_file_that_changes(four: Changing) -> None:
    four.write(four.configuration("a", rate_limits={"requests_per_minute": 4000}))
    assert eventually(lambda: four.shown()["settings"]["rate_limits"]["requests_per_minute"] == 4000)
    assert eventually(lambda: [worker["newest"] for worker in four.shown()["workers"]] == [True] * 4)


VALUES = {"stream": {"keep_alive": 99}, "retry": {"max_attempts": 0}}
NAMES = {"default_model": "nobody-has-it", "model_map": {"gpt-*": "nor-this"}, "models": {"x": {"alias_of": "m"}}}


@pytest.mark.parametrize(("wrong", "count"), [(VALUES, 2), (NAMES, 1)], ids=["of values", "of names"])
def test_a_bad_file_changes_nothing_and_every_place_says_why(four: Changing, wrong: dict[str, Any], count: int) -> None:
    version = four.shown()["version"]
    four.write(four.configuration("b", key=OTHER, **wrong))
    refused = four.reload()
    assert refused.status_code == 422
    error = refused.json()["error"]
    problems = error["details"]["problems"]
    assert (error["code"], len(problems)) == ("configuration_invalid", count)
    checked = check(four)
    assert checked.returncode == 2
    assert [f"  - {problem}" for problem in problems] == checked.stderr.strip().splitlines()[1:]

    def rejected() -> bool:
        return all(worker["rejects"] for worker in four.shown()["workers"])

    assert eventually(rejected), "the others see the file by themselves"
    assert four.shown()["version"] == version
    assert four.shown()["last_reload"]["problems"] == problems
    assert providers_of(four, 8) == {"a"}
    health = four.shown("/v1/health")["checks"]["configuration"]
    assert (health["status"], problems[0] in health["reason"]) == ("degraded", True)
    assert metric(four, "glm_config_last_reload_successful") == 0.0
    event = four.gateway.wait_event("config_rejected", problems=problems)
    assert event["in_effect"] == version
    assert "Traceback" not in four.gateway.output, "a mistake in a file is none of the gateway's"
    four.reloaded(four.configuration("a"))
    assert eventually(lambda: metric(four, "glm_config_last_reload_successful") == 1.0)
    assert four.shown("/v1/health")["checks"]["configuration"]["status"] == "healthy"


def read_by_the_first_process(one: Changing) -> int:
    """How often it has, which workers that start begin with."""
    return one.gateway.output.count("usable last")


def test_a_worker_that_is_started_later_has_what_was_usable_last(one: Changing) -> None:
    before = read_by_the_first_process(one)
    one.reloaded(one.configuration("b"))
    assert eventually(lambda: read_by_the_first_process(one) > before)
    one.write("providers: [this is none")
    assert one.reload().status_code == 422
    (worker,) = one.gateway.workers()
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: one.gateway.workers() not in ([], [worker]))
    assert eventually(one.gateway._answers)
    assert providers_of(one, 2) == {"b"}
    one.reloaded(one.configuration("a"))


def test_what_only_a_restart_changes_is_named_and_left_alone(one: Changing) -> None:
    before = one.shown()["settings"]
    told = one.reloaded(
        one.configuration("a", server={"data_dir": "elsewhere", "max_body_bytes": 2048}, store={"prefix": "other"})
    )
    assert told["needs_restart"] == ["server.data_dir", "store.prefix"]
    after = one.shown()["settings"]
    assert after["server"] == {**before["server"], "max_body_bytes": 2048}
    assert after["store"] == before["store"]
    assert one.shown()["needs_restart"] == told["needs_restart"]
    assert one.ask(content="x" * 3000).status_code == 413


def test_limits_prices_keys_and_the_level_of_the_log_change(one: Changing) -> None:
    assert one.ask(model="m-a").headers.get("X-Gateway-Cost-USD") is None
    prices = {"m-a": {"prices": [{"input": 1e6, "cached": 1e6, "output": 0}]}}
    one.reloaded(one.configuration("a", models=prices, log_level="WARNING"))
    dear = one.ask(model="m-a")
    assert float(dear.headers["X-Gateway-Cost-USD"]) > 1
    quiet = {one.ask(model="m-a").headers["X-Request-ID"] for _ in range(3)}
    one.reloaded(one.configuration("a", log_level="INFO", rate_limits={"requests_per_minute": 2}))
    one.gateway.wait_event("request", endpoint="/v1/config/reload", status=200)
    assert not quiet & {event["request_id"] for event in one.gateway.events("request")}
    statuses = [one.gateway.get("/v1/models", headers=one.headers()).status_code for _ in range(4)]
    assert statuses[-1] == 429
    assert one.gateway.get("/v1/models", headers=one.headers()).headers["x-ratelimit-limit-requests"] == "2"
    one.write(one.configuration("a"))
    assert eventually(lambda: one.gateway.get("/v1/models", headers=one.headers()).status_code == 200)


def test_money_that_is_spent_stays_spent(one: Changing) -> None:
    models = {"m-a": {"prices": [{"input": 1e6, "cached": 1e6, "output": 0}]}}
    one.reloaded(one.configuration("a", models=models, cost_budget={"daily_limit": 1e6}))
    cost = float(one.ask(model="m-a").headers["X-Gateway-Cost-USD"])
    assert cost > 1
    one.reloaded(one.configuration("a", models=models, cost_budget={"daily_limit": cost}))
    refused = one.ask(model="m-a")
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "insufficient_quota")


def test_keys_that_rest_and_circuits_that_are_open_stay_so(one: Changing) -> None:
    circuit = {"failures": 1, "open_seconds": 200}
    one.reloaded(one.configuration("a", "b", circuit=circuit))
    one.upstream.script(openai_error(429, "rate_limit", None, "slow down", headers={"Retry-After": "120"}), model="m-a")
    one.upstream.script(openai_error(500, "server_error", None, "broken"), model="m-b", times=None)
    assert one.ask(model="m-a").status_code == 429
    assert one.ask(model="m-b").status_code >= 500
    asked = len(one.upstream.requests)
    known = next(token for token in one.shown("/v1/tokens")["data"] if token["provider"] == "a")["stats"]
    one.reloaded(one.configuration("a", "b", "c", circuit=circuit, log_level="ERROR"))
    assert one.ask(model="m-a").status_code == 429
    token = next(token for token in one.shown("/v1/tokens")["data"] if token["provider"] == "a")
    assert token["stats"]["errors"] == known["errors"]
    assert len(one.upstream.requests) == asked, "the resting key was not asked again"
    states = {one["model"]: one["circuit"]["state"] for one in one.shown("/v1/providers/b")["targets"]}
    assert states["m-b"] == "open"


def test_twenty_reloads_leave_nothing_behind(one: Changing) -> None:
    def reloaded_with(level: str) -> None:
        one.reloaded(one.configuration("a", "b", logging={"level": level, "requests": {"enabled": True}}))
        assert one.ask(model="m-b").status_code == 200

    for level in ("INFO", "WARNING") * 2:
        reloaded_with(level)
    before = one.processes()
    for level in ("INFO", "WARNING") * 10:
        reloaded_with(level)
    assert eventually(lambda: one.processes() <= [count + 2 for count in before]), (before, one.processes())


def metric(house: Changing, name: str) -> float | None:
    lines = house.gateway.get("/v1/metrics", headers=house.headers()).text.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)


def check(house: Changing) -> "subprocess.CompletedProcess[str]":
    inherited = {name: os.environ[name] for name in KEEP if name in os.environ}
    environment = {**house.gateway.environment, **inherited}
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "check"],
        cwd=house.gateway.directory, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
