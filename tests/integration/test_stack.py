"""The stack as it is shipped, on loopback: nginx, three gateways, redis, and a simulated provider behind them."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import openai
import pytest
import requests

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.integration.listening_kit import DONE, EVENTS, at_provider, clients, held
from tests.integration.test_nginx import CLOSED
from tests.nginx_server import Nginx
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream
from tests.upstreams.steps import End, Events, Head, Pause

KEY = "key-of-the-admin"
HEADERS = {"Authorization": f"Bearer {KEY}"}
SHORT = "glm-4.5"
"""A model that is answered at once."""
LONG = "glm-4.6"
"""A model whose answers are held until they are released."""
READ_TIMEOUT = 2.0
TIMES = {
    "proxy_read_timeout 600s;": f"proxy_read_timeout {READ_TIMEOUT:g}s;",
    "keepalive_timeout 4s;": "keepalive_timeout 1s;",
}
"""The shipped times, shortened all alike: nginx waits less than a silence, and keeps connections for less than a
gateway that ends takes requests."""
QUICK = {
    "GATEWAY__SERVER__DRAIN_SECONDS": "2",
    "GATEWAY__SERVER__SHUTDOWN_SECONDS": "60",
    "GATEWAY__STREAM__KEEP_ALIVE": "0.5",
}


class Stack:
    """All of it; leaving the context ends it."""

    def __init__(self, directory: Path, upstream: Upstream) -> None:
        self.upstream = upstream
        self.redis = RedisServer(directory, durable=True, password="letters-and-digits")
        shared = {"REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0", "REDIS_PASSWORD_FILE": "redis_password"}
        keys = {"GATEWAY_API_KEYS": f"admin:{KEY}:admin", "GATEWAY__SERVER__TRUSTED_PROXIES": "1", "WORKERS": "1"}
        self.gateways = []
        for name in ("a", "b", "c"):
            home = directory / name
            home.mkdir()
            (home / "redis_password").write_text("letters-and-digits\n")
            self.gateways.append(Gateway(home, **environment(upstream, **shared, **keys, **QUICK)))
        self._directory = directory
        self._ends = ExitStack()

    def __enter__(self) -> "Stack":
        with ExitStack() as ends:
            ends.enter_context(self.redis)
            for gateway in self.gateways:
                ends.callback(gateway.stop)
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(Gateway.start, self.gateways))
            ports = (gateway.port for gateway in self.gateways)
            self.nginx = ends.enter_context(Nginx(self._directory, *ports, times=TIMES))
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), provider) as stack:
        yield stack


class Traffic:
    """Short requests through nginx, one after the other, until the context is left; `answers` are their statuses."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answers: list[int] = []

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        body = {"model": SHORT, "messages": [{"role": "user", "content": "Hi"}]}
        while not self._over.wait(0.02):
            try:
                answer = requests.post(f"{self._url}/v1/chat/completions", json=body, headers=HEADERS, timeout=60)
                self.answers.append(answer.status_code)
            except requests.RequestException:
                self.answers.append(0)


def test_a_silence_longer_than_nginx_waits_is_bridged(stack: Stack, upstream: Upstream) -> None:
    silence = Pause(2.5 * READ_TIMEOUT)
    upstream.script(Head(), silence, Events(EVENTS), End())
    body = {"model": LONG, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    began = time.monotonic()
    with requests.post(
        f"{stack.nginx.url}/v1/chat/completions", json=body, headers=HEADERS, stream=True, timeout=60
    ) as response:
        pieces = list(response.iter_content(None))
    assert time.monotonic() - began > 2 * READ_TIMEOUT
    assert sum(piece.startswith(b":") for piece in pieces) >= 3
    assert pieces[-1].endswith(DONE)


def test_a_body_of_5_mb_reaches_the_provider(stack: Stack, upstream: Upstream) -> None:
    text = "0123456789" * 524_288
    body = {"model": SHORT, "messages": [{"role": "user", "content": text}]}
    assert stack.nginx.ask("/v1/chat/completions", json=body, headers=HEADERS).status_code == 200
    assert json.loads(upstream.requests[-1].raw_body)["messages"][0]["content"] == text


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_admin_is_let_in_from_the_inside_only(stack: Stack, method: str) -> None:
    for target in CLOSED:
        status, body = stack.nginx.ask_raw(method, target, {**HEADERS, "Content-Length": "0"})
        assert (status, b"closed to the outside" in body) == (403, True), target
    assert stack.gateways[0].get("/v1/tokens", headers=HEADERS).status_code == 200
    assert stack.nginx.ask("/v1/models", headers=HEADERS).status_code == 200


def test_the_clients_address_is_the_one_that_nginx_has_seen(stack: Stack, upstream: Upstream) -> None:
    stack.nginx.ask("/v1/models", headers={**HEADERS, "X-Forwarded-For": "203.0.113.9", "X-Request-ID": "trace-ip"})
    logged = [event for gateway in stack.gateways for event in wait_logged(gateway, "trace-ip", stack)]
    assert [event["ip"] for event in logged] == ["127.0.0.1"]


def wait_logged(gateway: Gateway, request_id: str, stack: Stack) -> list[dict[str, str]]:
    """The line of that request in this gateway's log, once any gateway has it."""

    def lines(one: Gateway) -> list[dict[str, str]]:
        return [event for event in one.events("request") if event["request_id"] == request_id]

    assert eventually(lambda: any(lines(one) for one in stack.gateways))
    return lines(gateway)


def test_a_replica_that_is_killed_takes_only_its_own_streams_and_clients_see_it(
    stack: Stack, upstream: Upstream
) -> None:
    upstream.script(*held(), times=None, model=LONG)
    client = openai.OpenAI(base_url=f"{stack.nginx.url}/v1", api_key=KEY, max_retries=0, timeout=60)

    def hear() -> str:
        stream = client.chat.completions.create(model=LONG, stream=True, messages=[{"role": "user", "content": "Hi"}])
        try:
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        except Exception as error:  # noqa: BLE001 - whichever: the point is that one is raised, and soon
            return type(error).__name__

    victim = stack.gateways[2]
    with ThreadPoolExecutor(12) as pool:
        streams = [pool.submit(hear) for _ in range(12)]
        assert upstream.wait_held(12)
        lost = at_provider(victim.workers(), upstream)
        assert 0 < lost < 12
        victim.kill()
        assert eventually(lambda: sum(stream.done() for stream in streams) == lost), "they do not hang"
        assert stack.nginx.ask("/v1/models", headers=HEADERS).status_code == 200
        upstream.release(12 - lost)
        texts = [stream.result() for stream in streams]
    assert sum(text == "the first words and the last" for text in texts) == 12 - lost
    victim.start()


def test_a_deployment_a_reload_and_a_restart_of_redis_cut_none_of_fifty_streams(
    stack: Stack, upstream: Upstream
) -> None:
    upstream.script(*held(), times=None, model=LONG)
    leaving = stack.gateways[0]
    assert leaving.process is not None
    with clients(stack.nginx.url, 50, HEADERS) as client, Traffic(stack.nginx.url) as traffic:
        streams = [client.ask(model=LONG) for _ in range(50)]
        assert upstream.wait_held(50, timeout=30)
        assert at_provider(leaving.workers(), upstream) >= 10

        leaving.process.send_signal(signal.SIGTERM)
        stack.nginx.reload()
        reconfigured(stack.gateways[1])
        stack.redis.stop()
        reconfigured(stack.gateways[2])
        passed(traffic, 10)
        stack.redis.start()
        assert eventually(lambda: "not ready" in closed(leaving)), "its port is closed after a while"
        passed(traffic, 10)
        assert not any(stream.done() for stream in streams)

        upstream.release(50)
        answers = [stream.result() for stream in streams]
        assert leaving.process.wait(60) == 0
        leaving.start()
        passed(traffic, 10)
    assert sum(answer.whole for answer in answers) == 50
    assert set(traffic.answers) == {200}


def reconfigured(gateway: Gateway) -> None:
    """Let another configuration take effect."""
    (gateway.directory / ".env").write_text("LOG_LEVEL=WARNING\nGATEWAY__TOKENS__STRATEGY=least_loaded\n")
    told = gateway.post("/v1/config/reload", None, headers=HEADERS).json()
    assert (told["changed"], told["complete"], told["needs_restart"]) == (True, True, []), told


def passed(traffic: Traffic, count: int) -> None:
    """Wait until so many more short requests have been answered."""
    wanted = len(traffic.answers) + count
    assert eventually(lambda: len(traffic.answers) >= wanted)


def closed(gateway: Gateway) -> str:
    """What a balancer makes of that gateway."""
    try:
        return "ready" if gateway.get("/v1/health/ready").ok else "draining"
    except requests.ConnectionError:
        return "not ready"
