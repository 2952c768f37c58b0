"""Nothing that is secret is ever printed or answered."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gateway import ROOT, Gateway, eventually
from tests.redis_server import RedisServer
from tests.security.conftest import CALM
from tests.upstreams.answers import (
    error_event,
    glm_error,
    glm_stream,
    glm_web_error,
    glm_web_stream,
    web_error_event,
)
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, Events, Head, Step, empty, html_page, stream, whole

GLM_KEY = "0123456789abcdef0123456789abcdef.glmSecret5Q7x"
PLAIN_KEY = "tavern-sesame-7719"
WEB_TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJpZCI6IndlYi10b2tlbi0zMyJ9.c2lnbmF0dXJlLTU1"
CALLER_KEY = "caller-key-91d4e0"
REDIS_PASSWORD = "redis-password-62b8"
TOKEN_SECRET = "token-secret-of-thirty-two-letters-4c"
COLLECTOR_KEY = "collector-key-77b2"
HEADER_SECRET = "header-secret-90e1"
EXCHANGES = "exchanges.json"
SECRETS = (GLM_KEY, GLM_KEY.partition(".")[2], PLAIN_KEY, WEB_TOKEN, CALLER_KEY, REDIS_PASSWORD, TOKEN_SECRET)
SECRETS += (COLLECTOR_KEY, HEADER_SECRET)
PAGES = (
    "/v1/tokens",
    "/v1/tokens/stats",
    "/v1/providers",
    "/v1/health",
    "/v1/metrics",
    "/v1/models",
    "/v1/keys",
    "/v1/usage",
    "/v1/failover",
    "/v1/failover/glm-4.6",
    "/v1/providers/glm",
    "/v1/conversations",
    "/v1/config",
    "/v1/dashboard",
    "/dashboard",
    "/docs",
    "/openapi.json",
    "/v1/health/ready",
    "/nowhere",
)
QUOTED = "refused: Bearer KEY, key KEY and 'KEY'"


def settings(upstream: Upstream, key: str = GLM_KEY, **more: str) -> dict[str, str]:
    """What a gateway is configured by that signs with `key`."""
    own = {"GATEWAY__PROVIDERS__GLM__ENABLED": "false"} if key == WEB_TOKEN else {"GLM_API_KEY": key}
    return {
        **CALM,
        **own,
        "GLM_ENDPOINT": f"{upstream.url}/api/paas/v4/chat/completions",
        "GLM_WEB_ENDPOINT": f"{upstream.url}/api/chat/completions",
        "GATEWAY_API_KEYS": f"ann:{CALLER_KEY}:admin",
        "WORKERS": "1",
        "LOG_LEVEL": "DEBUG",
        "GATEWAY__ACCESS__JWT__SECRET": TOKEN_SECRET,
        "GATEWAY__LOGGING__REQUESTS__ENABLED": "true",
        "GATEWAY__LOGGING__REQUESTS__FILE": EXCHANGES,
        "GATEWAY__PROVIDERS__GLM__HEADERS": f'{{"x-plan": "{HEADER_SECRET}"}}',
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-collector-key={COLLECTOR_KEY}",
        **more,
    }


class Listener:
    """Asks the gateway, and keeps every byte of its answers."""

    def __init__(self, gateway: Gateway, upstream: Upstream, key: str) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.key = key
        self._heard: list[str] = []
        self._printed = 0
        self._asked = 0

    def ask(self, method: str, path: str, body: Any = None, key: str = CALLER_KEY) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"}
        response = requests.request(method, self.gateway.url + path, json=body, headers=headers, timeout=30)
        self._heard.append(f"{response.headers}\n{response.text}")
        return response

    def chat(self, text: str = "Hi", **fields: Any) -> requests.Response:
        body = {"messages": [{"role": "user", "content": text}], **fields}
        return self.ask("POST", "/v1/chat/completions", body)

    def begin(self) -> None:
        """Forget the test before, and let every credential be used again."""
        self.upstream.reset()
        for token in self.ask("GET", "/v1/tokens").json()["data"]:
            assert self.ask("POST", f"/v1/tokens/{token['id']}/reset").status_code == 200

    def check(self) -> None:
        """Fail when a secret was printed or answered since the last time."""
        self.gateway.wait_event("request")
        printed = self.gateway.output.splitlines()
        lines = [*"\n".join(self._heard).splitlines(), *printed[self._printed :]]
        self._asked += len(self._heard)
        self._heard, self._printed = [], len(printed)
        assert not self.gateway.events("unexpected_error"), self.gateway.events("unexpected_error")[0]["exception"]
        leaked = [line for line in lines if any(secret in line for secret in SECRETS)]
        assert not leaked, leaked[:3]

    def check_exchanges(self) -> None:
        """Fail when a secret stands in the log of whole requests and answers."""
        file = self.gateway.directory / EXCHANGES
        assert eventually(lambda: len(file.read_text().splitlines()) >= self._asked)
        leaked = [line for line in file.read_text().splitlines() if any(secret in line for secret in SECRETS)]
        assert not leaked, leaked[:3]

    def check_kept(self) -> None:
        """Fail when a secret stands in what the gateway has written to its disk."""
        files = [file for file in (self.gateway.directory / "data").rglob("*") if file.is_file()]
        assert files
        leaked = [(file.name, secret) for file in files for secret in SECRETS if secret.encode() in file.read_bytes()]
        assert not leaked

    def check_traces(self, collector: Upstream) -> None:
        """Fail when a secret stands in what was sent to the collector, outside the header that is for it."""
        assert eventually(lambda: len(collector.requests) > 0)
        assert {request.headers["x-collector-key"] for request in collector.requests} == {COLLECTOR_KEY}
        leaked = [s for s in SECRETS if any(s.encode() in request.raw_body for request in collector.requests)]
        assert not leaked


@pytest.fixture(scope="module", params=["open platform", "web site", "key of no known shape"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """A gateway for everything that has a secret of its own."""
    directory = tmp_path_factory.mktemp("secrets")
    (directory / "token.json").write_text(json.dumps({"tokens": [{"token": WEB_TOKEN, "name": "web"}]}))
    key = {"web site": WEB_TOKEN, "key of no known shape": PLAIN_KEY}.get(request.param, GLM_KEY)
    with Upstream() as collector, Upstream() as upstream:
        collector.script(whole(b""), times=None)
        told = settings(upstream, key, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        with Gateway(directory, **told) as gateway:
            listener = Listener(gateway, upstream, key)
            yield listener
            listener.check_exchanges()
        listener.check_kept()
        listener.check_traces(collector)


@pytest.fixture
def listener(running: Listener) -> Iterator[Listener]:
    """The same at rest, and at the end with proof that nothing secret was said."""
    running.begin()
    yield running
    running.check()


FAILURES: dict[str, Callable[[str], list[Step]]] = {
    "401": lambda said: glm_error("1000", 401, said),
    "401 of no shape": lambda said: whole(said.encode(), 401),
    "403": lambda said: glm_error("1220", 403, said),
    "400": lambda said: glm_error("1210", 400, said),
    "a code of its own": lambda said: glm_error(said, 400, "odd"),
    "404": lambda said: glm_error("1211", 404, said),
    "429": lambda said: glm_error("1302", 429, said),
    "no money": lambda said: glm_error("1113", 429, said),
    "500": lambda said: glm_error("1234", 500, said),
    "500 of no shape": lambda said: whole(said.encode(), 500),
    "unknown code": lambda said: glm_error("9999", 500, said),
    "web 401": lambda said: glm_web_error(said, 401),
    "web 500": lambda said: glm_web_error([{"msg": said}], 500),
    "html": lambda said: html_page(403, said),
    "html in a 200": lambda said: html_page(200, said),
    "error in a 200": lambda said: glm_error("1234", 200, said),
    "error in a stream": lambda said: stream([error_event("1234", said)]),
    "broken json": lambda said: stream([f"data: {{broken {said}\n\n".encode()]),
    "web error in a stream": lambda said: stream([web_error_event(said, 500)]),
    "redirect": lambda said: [Head(302, {"Location": f"http://127.0.0.1:1/?key={said}"}, length=0)],
    "silent 200": lambda _: empty(),
    "drop": lambda _: [Drop(reset=True)],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", FAILURES)
def test_a_provider_that_quotes_our_key_is_not_quoted(listener: Listener, name: str, stream: bool) -> None:
    listener.upstream.script(FAILURES[name](QUOTED.replace("KEY", listener.key)), times=None)
    assert listener.chat(stream=stream).status_code >= 400
    assert [received.bearer for received in listener.upstream.requests] == [listener.key]
    listener.ask("GET", "/v1/tokens")


def test_a_fault_in_the_middle_of_a_stream_quotes_no_key(listener: Listener) -> None:
    said = QUOTED.replace("KEY", listener.key)
    fault = [*glm_stream("half of it")[:2], error_event("1234", said)]
    if listener.key == WEB_TOKEN:
        fault = [*glm_web_stream("half of it")[:2], web_error_event(said, 500)]
    listener.upstream.script([Head(), Events(fault)], times=None)
    assert '"error":{' in listener.chat(stream=True).text


@pytest.mark.parametrize("path", PAGES)
def test_no_page_shows_a_secret(listener: Listener, path: str) -> None:
    listener.chat()
    assert listener.ask("GET", path).text


def test_a_wrong_key_is_not_repeated(listener: Listener) -> None:
    response = listener.ask("GET", "/v1/models", key="nearly-the-right-key")
    assert response.status_code == 401
    listener.gateway.wait_event("request", request_id=response.headers["X-Request-ID"])
    assert "nearly-the-right-key" not in response.text + listener.gateway.output


def test_a_key_in_the_wrong_place_is_not_logged(listener: Listener) -> None:
    response = listener.ask("GET", f"/v1/models?api_key={CALLER_KEY}")
    listener.gateway.wait_event("request", request_id=response.headers["X-Request-ID"])


def test_what_was_said_is_not_logged(listener: Listener) -> None:
    response = listener.chat("my-private-question")
    assert "Hello, 世界" in response.text
    listener.gateway.wait_event("request", request_id=response.headers["X-Request-ID"])
    assert "my-private-question" not in listener.gateway.output
    assert "Hello, 世界" not in listener.gateway.output


def test_each_secret_goes_only_where_it_belongs(listener: Listener) -> None:
    assert listener.chat().status_code == 200
    (received,) = listener.upstream.requests
    told = f"{received.path} {received.headers} {received.raw_body!r}"
    assert [secret for secret in (GLM_KEY, PLAIN_KEY, WEB_TOKEN) if secret in told] == [listener.key]
    assert listener.key not in received.path
    assert CALLER_KEY not in told


def test_a_lost_redis_is_complained_about_without_its_password(tmp_path: Path) -> None:
    with Upstream() as upstream, RedisServer(tmp_path, password=REDIS_PASSWORD) as redis:
        with Gateway(tmp_path, **settings(upstream, REDIS_URL=redis.url)) as gateway:
            listener = Listener(gateway, upstream, GLM_KEY)
            assert listener.chat().status_code == 200
            redis.stop()
            assert listener.chat().status_code == 200
            assert gateway.wait_line(lambda line: "store_degraded" in line)
            assert listener.ask("GET", "/v1/health").json()["checks"]["store"]["status"] != "healthy"
            for path in PAGES:
                listener.ask("GET", path)
        listener.check()


def run(command: str, directory: Path, environment: dict[str, str]) -> str:
    """What a command of the gateway prints, on both outputs."""
    process = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), command],
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return process.stdout


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, str]:
    """An environment with every secret there is."""
    (tmp_path / "token.json").write_text(json.dumps([WEB_TOKEN]))
    redis = f"redis://someone:{REDIS_PASSWORD}@127.0.0.1:1/0"
    with Upstream() as upstream:
        return Gateway(tmp_path, **settings(upstream, REDIS_URL=redis)).environment


def test_check_prints_the_configuration_with_its_secrets_masked(tmp_path: Path, configured: dict[str, str]) -> None:
    printed = run("check", tmp_path, configured)
    assert "ann" in printed
    assert "redis_url" in printed
    assert not [secret for secret in SECRETS if secret in printed], printed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_API_KEYS", f"ann:{CALLER_KEY}:boss"),
        ("GATEWAY_API_KEYS", CALLER_KEY),
        ("REDIS_URL", f"http://:{REDIS_PASSWORD}@localhost"),
        ("GLM_ENDPOINT", f"ftp://{GLM_KEY}@localhost"),
    ],
)
def test_complaints_about_the_configuration_show_no_secret(
    tmp_path: Path, configured: dict[str, str], name: str, value: str
) -> None:
    for command in ("check", "serve"):
        printed = run(command, tmp_path, {**configured, name: value, "WORKERS": "no"})
        assert "WORKERS" in printed
        assert not [secret for secret in SECRETS if secret in printed], printed
