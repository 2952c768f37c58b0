"""How the gateway begins and ends: what is told to balancers, and what becomes of the answers under way."""

import os
import signal
import time
from pathlib import Path

import psutil
import requests

from schemas.codec import loads
from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.integration.listening_kit import DONE, EVENTS, at_provider, clients, held
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream
from tests.upstreams.steps import AwaitClose, Events, Head

ENDLESS = (Head(), Events(EVENTS[:2]), AwaitClose())
CODE = b"gateway_shutting_down"


def quick(upstream: Upstream, drain: str = "1", shutdown: str = "2", **more: str) -> dict[str, str]:
    """A gateway whose end takes seconds and not minutes."""
    times = {"GATEWAY__SERVER__DRAIN_SECONDS": drain, "GATEWAY__SERVER__SHUTDOWN_SECONDS": shutdown}
    return environment(upstream, **times, **more)


def test_a_stop_lets_answers_end_and_tells_those_that_take_too_long(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(*held("short"), times=None, model="glm-4.5")
    upstream.script(*ENDLESS, times=None, model="glm-4.6")
    with Gateway(tmp_path, **quick(upstream)) as gateway, clients(gateway.url) as client, requests.Session() as kept:
        assert gateway.process is not None
        assert kept.get(f"{gateway.url}/v1/health/ready").status_code == 200
        short = client.ask(model="glm-4.5")
        openai, anthropic = client.ask(), client.ask("/v1/messages")
        whole = client.ask(stream=False)
        assert upstream.wait_requests(4)

        gateway.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: "term" in gateway.output)
        ready = kept.get(f"{gateway.url}/v1/health/ready")
        assert (ready.status_code, ready.json()["reason"]) == (503, "the gateway is shutting down")
        assert ready.headers["Connection"] == "close"
        assert gateway.get("/v1/models").status_code == 200, "who has not seen it yet is served"

        upstream.release(gate="short")
        assert short.result().body.endswith(DONE)
        assert gateway.process.wait(30) == 0

        assert not openai.result().broken
        assert CODE in openai.result().body.splitlines()[-2]
        assert DONE not in openai.result().body
        assert not anthropic.result().broken
        event, data = anthropic.result().body.strip().splitlines()[-2:]
        assert event == b"event: error"
        assert loads(data.removeprefix(b"data: "))["error"]["type"]
        assert (whole.result().status, loads(whole.result().body)["error"]["code"]) == (503, CODE.decode())
        assert upstream.wait_closed()


def test_a_stop_with_nothing_under_way_waits_for_balancers_only(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **quick(upstream, drain="0.5", shutdown="60")) as gateway, requests.Session() as kept:
        assert gateway.process is not None
        kept.get(f"{gateway.url}/v1/health/live")
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(30) == 0
        assert 0.5 < time.monotonic() - began < 30, "though a connection is kept, on which nothing is asked"


def test_an_interrupt_ends_everything_at_once_and_says_so(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(*ENDLESS, times=None)
    with Gateway(tmp_path, **quick(upstream, shutdown="60")) as gateway, clients(gateway.url) as client:
        assert gateway.process is not None
        stream = client.ask()
        assert upstream.wait_requests(1)
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.wait(20) == 0
        assert CODE in stream.result().body
        assert not stream.result().broken


def test_a_worker_that_shares_nothing_gets_no_other_beside_it(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **quick(upstream)) as gateway:
        assert gateway.process is not None
        before = gateway.workers()
        gateway.process.send_signal(signal.SIGTTIN)
        assert gateway.wait_line(lambda line: "shares nothing" in line, 10)
        assert gateway.workers() == before


def test_an_interrupt_of_a_terminal_which_all_processes_get_is_no_failure(upstream: Upstream, tmp_path: Path) -> None:
    with Gateway(tmp_path, **quick(upstream)) as gateway:
        assert gateway.process is not None
        for pid in (*gateway.workers(), gateway.process.pid):
            os.kill(pid, signal.SIGINT)
        assert gateway.process.wait(20) == 0
        assert gateway.wait_line(lambda line: "Shutting down" in line)
        assert "Traceback" not in gateway.output


def test_a_worker_that_is_killed_takes_nothing_but_its_own_streams(shared: Gateway, upstream: Upstream) -> None:
    upstream.script(*held(), times=None)
    with clients(shared.url) as client:
        streams = [client.ask() for _ in range(12)]
        assert upstream.wait_held(12)
        shares = {worker: at_provider([worker], upstream) for worker in shared.workers()}
        victim = max(shares, key=lambda worker: shares[worker])
        assert sum(shares.values()) == 12
        os.kill(victim, signal.SIGKILL)
        assert upstream.wait_connections(12 - shares[victim])
        upstream.release(12)
        answers = [stream.result() for stream in streams]
    assert sum(answer.broken for answer in answers) == shares[victim]
    assert all(answer.body.endswith(DONE) for answer in answers if not answer.broken)
    assert eventually(lambda: len(shared.workers()) == 4 and victim not in shared.workers())


def test_a_worker_that_has_served_its_number_is_replaced_and_cuts_nothing(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(*held("long"), times=None, model="glm-4.6")
    with RedisServer(tmp_path) as redis:
        limits = {"REDIS_URL": redis.url, "WORKERS": "1", "GATEWAY__SERVER__MAX_REQUESTS": "20"}
        with Gateway(tmp_path, **quick(upstream, shutdown="60", **limits)) as gateway, clients(gateway.url) as client:
            workers, streams = set(gateway.workers()), []
            for _ in range(3):
                streams.append(client.ask())
                assert upstream.wait_held(len(streams), "long")
                before = set(workers)
                while workers == before:
                    assert gateway.chat(model="glm-4.5").status_code == 200
                    workers |= set(gateway.workers())
            assert not any(stream.done() for stream in streams), "no successor waits for the streams of another"
            upstream.release(3, "long")
            assert all(stream.result().body.endswith(DONE) for stream in streams)
            assert eventually(lambda: len(gateway.workers()) == 1), "and those that have retired are gone"


def test_a_worker_begins_with_all_code_loaded(shared: Gateway) -> None:
    for worker in shared.workers():
        memory = psutil.Process(worker).memory_full_info()
        assert memory.pss < memory.rss / 1.5, "most of it is shared"
