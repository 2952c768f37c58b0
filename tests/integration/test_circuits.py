"""Providers that fail are left alone, by all workers, until one request has shown that they are back."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gateway import eventually
from tests.integration.conftest import FAST
from tests.integration.routing_kit import BROKEN, CHAIN, House, asked, running
from tests.integration.test_shared_state import only
from tests.redis_server import RedisServer
from tests.upstreams.openai_answers import openai_error, openai_stream
from tests.upstreams.steps import Drop, Events, Head, Hold, stream
from tests.upstreams.wire import Request

QUICK = {"failures": 3, "open_seconds": 1, "max_open_seconds": 4}
SLOW = {"failures": 3, "open_seconds": 300}


def state(house: House) -> str:
    """That of the circuit of the one model of `a`."""
    return str(house.provider("a")["targets"][0]["circuit"]["state"])


def trip(house: House, name: str = "a", times: int = 3) -> None:
    """Ask until the provider's circuit is open."""
    house.breaks(name)
    for _ in range(times):
        assert house.ask().status_code == 200
    assert house.asked[name] == times


@contextmanager
def on_redis(tmp_path: Path, circuit: dict[str, int]) -> Iterator[House]:
    """A house of four workers, each of which can be asked alone."""
    with RedisServer(tmp_path) as redis:
        variables = {**FAST, "REDIS_URL": redis.url}
        with running(tmp_path, CHAIN, variables, circuit=circuit) as house:
            house.gateway.session = None  # whose connections would stay with one worker
            yield house


def test_after_its_failures_a_provider_is_not_touched(tmp_path: Path) -> None:
    with running(tmp_path, circuit=SLOW) as house:
        trip(house)
        house.forget()
        for _ in range(10):
            response = house.ask()
            assert (response.headers["X-Gateway-Provider"], response.headers["X-Gateway-Attempts"]) == ("b", "1")
        assert house.asked == {"b": 10}
        explained = house.gateway.get(f"/v1/route/explain/{response.headers['X-Request-ID']}").json()
        assert explained["targets"][0]["result"].startswith("passed over: The circuit of a/m-a is open")
        assert [one["provider"] for one in house.explain()["targets"]] == ["b", "c"]


def test_what_is_shown_and_what_happens_agree(tmp_path: Path) -> None:
    with running(tmp_path, circuit={**SLOW, "failures": 2}) as house:
        assert house.provider("a")["circuit"]["state"] == "closed"
        trip(house, times=2)
        shown = house.provider("a")
        assert shown["circuit"]["state"] == "closed", "it has answered for no other model, nor failed"
        assert [(one["model"], one["circuit"]["state"]) for one in shown["targets"]] == [("m-a", "open")]
        assert eventually(lambda: house.provider("a")["requests"] == {"succeeded": 0, "failed": 2})
        assert eventually(lambda: house.provider("b")["requests"] == {"succeeded": 2, "failed": 0})
        assert house.provider("a")["last_errors"][0]["code"] == "upstream_server_error"
        assert house.provider("a")["base_url"] == f"{house.upstream.url}/a/v1"
        assert house.provider("a")["credentials"]["total"] == 1
        assert house.provider("b")["latency"]["samples"] == 2
        assert 'glm_circuit_state{provider="a"} 2.0' in eventual_metrics(house, "a", 2)
        assert "key-of-a" not in house.gateway.get("/v1/providers").text
        assert house.asked == {"a": 2, "b": 2}, "nothing was asked for any of it"


def test_a_failure_is_shown_while_another_provider_still_answers(tmp_path: Path) -> None:
    with running(tmp_path) as house:
        house.breaks("a")
        house.upstream.script([Head(), Events(openai_stream("So")[:2]), Hold(), Drop()], times=1, when=is_of("b"))
        answer = house.gateway.chat(model="any", stream=True)
        assert (answer.status_code, answer.headers["X-Gateway-Provider"]) == (200, "b")
        shown = house.provider("a")
        house.upstream.release()
        answer.close()
    assert [error["model"] for error in shown["last_errors"]] == ["m-a"]
    assert (shown["requests"]["failed"], shown["reachability"]["reachable"]) == (1, False)


def is_of(provider: str) -> Callable[[Request], bool]:
    return lambda request: asked(request) == provider


def test_one_broken_model_leaves_the_others_of_its_provider_alone(tmp_path: Path) -> None:
    second = {"name": "second", "match": {"models": ["common"]}, "targets": [{"model": "a/common"}]}
    routes = [{**second, "fallbacks": ["m-b"]}, *CHAIN]
    with running(tmp_path, routes, circuit=SLOW) as house:
        house.upstream.script(list(BROKEN), times=None, when=lambda request: request.body["model"] == "m-a")
        for _ in range(4):
            assert house.answered() == "b"
        assert house.asked == {"a": 3, "b": 4}
        assert house.answered("common") == "a"
        shown = house.provider("a")
        assert shown["circuit"]["state"] == "closed"
        assert {one["model"]: one["circuit"]["state"] for one in shown["targets"]}["m-a"] == "open"
        eventual_metrics(house, "a", 2)
        assert house.gateway.post("/v1/providers/a/reset", None).json()["targets"][-1]["circuit"]["state"] == "closed"
        house.forget()
        house.breaks("a")
        for model in ("common", "any", "common", "any", "common"):
            assert house.answered(model) == "b"
        assert house.asked == {"a": 3, "b": 5}, "several models fail, and none answers"
        assert house.provider("a")["circuit"]["state"] == "open"


def eventual_metrics(house: House, provider: str, state: int) -> str:
    wanted = f'glm_circuit_state{{provider="{provider}"}} {state}.0'
    assert eventually(lambda: wanted in house.gateway.get("/v1/metrics").text)
    return house.gateway.get("/v1/metrics").text


def test_of_many_requests_one_finds_out_whether_it_is_back(tmp_path: Path) -> None:
    with running(tmp_path, circuit=QUICK) as house:
        trip(house)
        house.forget()
        assert eventually(lambda: state(house) == "half_open")
        house.breaks("a", steps=[Hold("probe"), *stream(openai_stream("back"))], times=1)
        with ThreadPoolExecutor(20) as pool:
            answers = [pool.submit(house.ask, stream=True) for _ in range(20)]
            assert house.upstream.wait_held(gate="probe")
            assert eventually(lambda: sum(answer.done() for answer in answers) == 19)
            house.upstream.release(gate="probe")
            assert {answer.result().status_code for answer in answers} == {200}
        assert house.asked == {"a": 1, "b": 19}
        assert state(house) == "closed"
        assert house.answered() == "a"


def test_a_probe_that_fails_keeps_it_out_for_twice_as_long(tmp_path: Path) -> None:
    with running(tmp_path, circuit=QUICK) as house:
        trip(house)
        assert eventually(lambda: state(house) == "half_open")
        assert house.answered() == "b"
        assert house.asked["a"] == 4
        circuit = house.provider("a")["targets"][0]["circuit"]
        assert (circuit["state"], circuit["opened"]) == ("open", 2)
        assert 1 < circuit["retry_in_seconds"] <= 2
        assert house.answered() == "b"
        assert house.asked["a"] == 4


def test_when_all_are_out_the_client_is_told_when_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path, circuit={**SLOW, "failures": 1}) as house:
        house.breaks("a", "b", "c")
        assert house.ask().status_code == 502
        response = house.ask()
        assert (response.status_code, response.json()["error"]["code"]) == (503, "circuit_open")
        assert 290 < int(response.headers["Retry-After"]) <= 300
        assert house.asked == {"a": 1, "b": 1, "c": 1}
        claude = {"model": "any", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
        assert house.gateway.post("/v1/messages", claude).json()["error"]["type"] == "api_error"


def test_the_only_target_is_tried_whatever_its_circuit_says(tmp_path: Path) -> None:
    with running(tmp_path, [], circuit={**SLOW, "failures": 1}, retry={"max_attempts": 1}) as house:
        house.breaks("a")
        assert [house.ask("m-a").status_code for _ in range(3)] == [502] * 3
        assert state(house) == "open"
        house.forget()
        assert house.answered("m-a") == "a"
        assert state(house) == "closed"


@pytest.mark.parametrize(("status", "kind"), [(400, "invalid_request_error"), (401, "authentication_error")])
def test_what_is_wrong_with_a_request_or_a_key_opens_nothing(tmp_path: Path, status: int, kind: str) -> None:
    with running(tmp_path, circuit={**SLOW, "failures": 1}) as house:
        house.breaks("a", steps=openai_error(status, kind, None))
        house.ask()
        assert house.provider("a")["circuit"]["state"] == "closed"


def test_a_reset_lets_requests_through_at_once(tmp_path: Path) -> None:
    with running(tmp_path, circuit=SLOW) as house:
        trip(house)
        house.forget()
        assert house.gateway.post("/v1/providers/a/reset", None).json()["circuit"]["state"] == "closed"
        assert house.answered() == "a"
        assert house.gateway.post("/v1/providers/nope/reset", None).status_code == 404


def test_what_is_out_stays_out_over_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, circuit=SLOW) as house:
        trip(house)
        house.gateway.kill()
        house.gateway.start()
        house.forget()
        assert house.answered() == "b"
        assert house.asked == {"b": 1}


def on_every_worker(house: House, question: Callable[[], bool]) -> bool:
    """True once every worker, asked alone, says yes."""

    def all_say_so() -> bool:
        answers = []
        for worker in house.gateway.workers():
            with only(house.gateway, worker):
                answers.append(question())
        return all(answers)

    return eventually(all_say_so)


def test_four_workers_know_it_together_and_of_a_reset_too(tmp_path: Path) -> None:
    with on_redis(tmp_path, SLOW) as house:
        with only(house.gateway, house.gateway.workers()[0]):
            trip(house)
        assert on_every_worker(house, lambda: [one["provider"] for one in house.explain()["targets"]] == ["b", "c"])
        house.forget()
        assert on_every_worker(house, lambda: house.answered() == "b")
        assert house.asked == {"b": 4}
        house.gateway.post("/v1/providers/a/reset", None)
        assert on_every_worker(house, lambda: house.answered() == "a")


def test_what_one_worker_decided_any_worker_explains(tmp_path: Path) -> None:
    with on_redis(tmp_path, SLOW) as house:
        with only(house.gateway, house.gateway.workers()[1]):
            request_id = house.ask().headers["X-Request-ID"]

        def is_told() -> bool:
            told = house.gateway.get(f"/v1/route/explain/{request_id}")
            return told.status_code == 200 and told.json()["targets"][0]["result"] == "answered"

        assert on_every_worker(house, is_told)


def test_four_workers_probe_once_together(tmp_path: Path) -> None:
    with on_redis(tmp_path, QUICK) as house:
        with only(house.gateway, house.gateway.workers()[0]):
            trip(house)
        for worker in house.gateway.workers():
            with only(house.gateway, worker):
                assert eventually(lambda: state(house) == "half_open")
        house.forget()
        house.breaks("a", steps=[Hold("probe"), *stream(openai_stream("back"))], times=1)
        with ThreadPoolExecutor(20) as pool:
            answers = [pool.submit(house.ask, stream=True) for _ in range(20)]
            assert house.upstream.wait_held(gate="probe")
            assert eventually(lambda: sum(answer.done() for answer in answers) == 19)
            house.upstream.release(gate="probe")
            assert {answer.result().status_code for answer in answers} == {200}
        assert house.asked == {"a": 1, "b": 19}
