"""What callers say and show stays between them and the provider, whatever becomes of it: it is in no log, metric, trace
or page of the gateway, and not on its disk."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.gateway import Gateway, eventually
from tests.redis_server import RedisServer
from tests.security.canary_kit import ADMIN, KEPT, PASSWORD, PROVIDERS, SIGNING, Talk, bearer
from tests.security.conftest import environment
from tests.upstreams.answers import error_event, glm_error, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, Events, Head, Step, empty, html_page, whole

SAID = "canary-said-5c1e"
ANSWERED = "canary-answered-8d20"
SHOWN = "canary-shown-77af"
ASKED = "canary-asked-e3b0"
"""In what is said, in what is answered, in headers, and in the address."""
PAGES = (
    "/v1/metrics",
    "/v1/health",
    "/v1/tokens",
    "/v1/tokens/stats",
    "/v1/providers",
    "/v1/providers/glm",
    "/v1/usage?group_by=model,session",
    "/v1/usage?group_by=key,hour&format=csv",
    "/v1/failover",
    "/v1/keys",
    "/v1/config",
    "/v1/conversations",
    "/v1/models",
    "/dashboard",
    "/v1/dashboard",
)
HEADERS = {
    "Cookie": f"session={SHOWN}",
    "User-Agent": f"agent/{SHOWN}",
    "Referer": f"http://example.com/?{SHOWN}",
    "X-Forwarded-User": SHOWN,
    "X-Secret": SHOWN,
    "Proxy-Authorization": f"Basic {SHOWN}",
    "traceparent": f"00-{SHOWN}",
    "tracestate": f"vendor={SHOWN}",
    "baggage": f"user={SHOWN}",
}
BODY: dict[str, Any] = {
    "model": "glm-4.6",
    "messages": [
        {"role": "system", "content": f"You know {SAID}."},
        {"role": "user", "content": [{"type": "text", "text": f"Say {SAID}"}], "name": SAID},
    ],
    "tools": [{"type": "function", "function": {"name": SAID, "description": SAID, "parameters": {"title": SAID}}}],
    "stop": [SAID],
    "user": SAID,
    "metadata": {SAID: SAID},
    "a_field_that_nobody_knows": SAID,
}
FAILURES: dict[str, Callable[[], list[Step]]] = {
    "an answer": lambda: _streamed(glm_stream(ANSWERED)),
    "a refusal of the prompt": lambda: glm_error("1301", 400, f"{SAID} is not allowed"),
    "a wrong field": lambda: glm_error("1210", 400, f"{SAID} is wrong"),
    "a refused key": lambda: glm_error("1000", 401, SAID),
    "too fast": lambda: glm_error("1302", 429, SAID),
    "broken": lambda: glm_error("1234", 500, SAID),
    "a page": lambda: html_page(502, SAID),
    "nothing": empty,
    "no JSON": lambda: _streamed([f"data: {{{ANSWERED}\n\n".encode()]),
    "a fault in the middle": lambda: _streamed([*glm_stream(ANSWERED)[:2], error_event("1234", SAID)]),
    "an end in the middle": lambda: [Head(), Events(glm_stream(ANSWERED)[:2]), Drop(reset=True)],
}


def _streamed(events: list[bytes]) -> list[Step]:
    return [Head(), Events(events), Drop()]


@dataclass
class House:
    """A gateway, what it is in front of, and what it tells."""

    gateway: Gateway
    upstream: Upstream
    collector: Upstream
    redis: RedisServer
    answered: list[str] = field(default_factory=list)

    def ask(self, stream: bool, **more: Any) -> requests.Response:
        """Everything that a caller can say and show."""
        url = f"{self.gateway.url}/v2/chat/completions?note={ASKED}"
        headers = {**HEADERS, "Authorization": f"Bearer {ADMIN}"}
        return requests.post(url, json={**BODY, "stream": stream, **more}, headers=headers, timeout=30)

    def page(self, path: str) -> str:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        response = requests.get(self.gateway.url + path, headers=headers, timeout=30)
        return f"{response.headers}\n{response.text}"

    def told(self) -> dict[str, str]:
        """All that anybody but the caller can see."""
        answer = requests.get(f"{self.gateway.url}/v1/models", headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30)
        request_id = answer.headers["X-Request-ID"]
        self.gateway.wait_event("request", request_id=request_id)
        assert eventually(lambda: any(request_id.encode() in one.raw_body for one in self.collector.requests))
        pages = {path: self.page(path) for path in PAGES}
        traces = b"".join(one.raw_body for one in self.collector.requests).decode("latin-1")
        return {**pages, "the log": self.gateway.output, "traces": traces, "redis": _dump(self.redis)}


def _dump(redis: RedisServer) -> str:
    """Every key of the store, with what is in it."""
    import redis as library

    store = library.Redis.from_url(redis.url)
    kept = []
    for key in store.scan_iter(count=1000):
        kept.append(key)
        kept.append(store.dump(key) or b"")
        match store.type(key):
            case b"hash":
                kept += [part for pair in store.hgetall(key).items() for part in pair]
            case b"string":
                kept.append(store.get(key) or b"")
            case b"zset":
                kept += store.zrange(key, 0, -1)
            case b"set":
                kept += store.smembers(key)
            case b"list":
                kept += store.lrange(key, 0, -1)
    store.close()
    return b"\n".join(kept).decode("latin-1")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("canaries")
    with Upstream() as upstream, Upstream() as collector, RedisServer(directory, password=PASSWORD) as redis:
        collector.script(whole(b""), times=None)
        settings = environment(
            upstream,
            GATEWAY_API_KEYS=f"ann:{ADMIN}:admin",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            REDIS_URL=redis.url,
            WORKERS="1",
            LOG_LEVEL="DEBUG",
            GATEWAY__FAILOVER__ENABLED="true",
            GATEWAY__RESPONSE_CACHE__ENABLED="true",
            GATEWAY__ACCESS__JWT__SECRET=SIGNING,
            GLM_API_KEY=PROVIDERS,
        )
        with Gateway(directory, **settings) as gateway:
            yield House(gateway, upstream, collector, redis)


def test_nothing_of_what_was_said_or_shown_is_told_to_anybody_else(house: House) -> None:
    for name, steps in FAILURES.items():
        for stream in (False, True):
            house.upstream.reset()
            for token in json.loads(house.page("/v1/tokens").partition("\n")[2])["data"]:
                requests.post(
                    f"{house.gateway.url}/v1/tokens/{token['id']}/reset",
                    headers={"Authorization": f"Bearer {ADMIN}"},
                    timeout=30,
                )
            house.upstream.script(steps(), times=None)
            response = house.ask(stream)
            assert (response.status_code == 200) or name != "an answer", response.text
            assert any(SAID.encode() in one.raw_body for one in house.upstream.requests), name
    told = house.told()
    for place, text in told.items():
        leaked = [canary for canary in (SAID, ANSWERED, SHOWN, ASKED, ADMIN) if canary in text]
        assert not leaked, (place, leaked, _around(text, leaked))


def rest(house: House) -> None:
    """Let the provider's key be used again, and its provider answer as it does."""
    house.upstream.reset()
    for token in json.loads(house.page("/v1/tokens").partition("\n")[2])["data"]:
        url = f"{house.gateway.url}/v1/tokens/{token['id']}/reset"
        requests.post(url, headers=bearer(ADMIN), timeout=30)


def test_no_secret_is_told_whatever_it_was_used_for(house: House) -> None:
    talk = Talk(house.gateway)
    rest(house)
    house.upstream.script(_streamed(glm_stream("Fine.")), times=None)
    for name in ("configured", "signed", "made"):
        talk.everything(talk.keys[name])
    assert talk.statuses == {200}
    assert talk.refused() >= {(401, "invalid_api_key"), (401, "token_expired"), (429, "rate_limit_exceeded")}
    assert "budget_exceeded" in talk.chat(talk.keys["poor"]).text
    kept = talk.ask("POST", "/v2/chat/completions", talk.keys["made"], KEPT)
    assert kept.headers["X-Gateway-Cache"] == "hit", "an answer is kept, and found"
    for steps in (
        glm_error("1000", 401, f"{PROVIDERS} is refused"),
        glm_error("1234", 500, f"Bearer {PROVIDERS}"),
        [Head(), Events([*glm_stream("Hm")[:2], error_event("1234", PROVIDERS)]), Drop()],
    ):
        for stream in (False, True):
            rest(house)
            house.upstream.script(steps, times=None)
            talk.chat(talk.keys["made"], stream=stream)
            talk.message(talk.keys["signed"], stream=stream)
    rest(house)
    places = {**house.told(), "answers": "\n".join(talk.answers)}
    house.redis.stop()
    try:
        for name in ("configured", "signed", "made"):
            talk.everything(talk.keys[name])
        talk.refused()
        house.gateway.wait_event("store_degraded")
        pages = {f"{path} without redis": house.page(path) for path in PAGES}
    finally:
        house.redis.start()
    assert eventually(lambda: bool(house.gateway.events("store_recovered")))
    places |= {**pages, "answers without redis": "\n".join(talk.answers), "the log after it": house.gateway.output}
    for place, text in places.items():
        leaked = [secret for secret in talk.secrets if secret in text]
        assert not leaked, (place, leaked, _around(text, leaked))


def _around(text: str, leaked: list[str]) -> str:
    at = text.find(leaked[0]) if leaked else 0
    return text[max(0, at - 300) : at + 100]


def test_what_is_refused_here_is_not_told_either(house: House) -> None:
    house.upstream.reset()
    for changed in (
        {"model": f"sk-{SAID}"},
        {"messages": SAID},
        {"messages": [{"role": SAID}]},
        {"temperature": SAID},
        {"tools": [{"type": "function", "function": SAID}]},
        {"response_format": {"type": SAID}},
        {"conversation": SAID},
    ):
        response = house.ask(stream=False, **changed)
        assert 400 <= response.status_code < 500, (changed, response.text)
    wrong = requests.get(
        f"{house.gateway.url}/v1/models/{ASKED}?key={ASKED}", headers={"x-api-key": SHOWN, **HEADERS}, timeout=30
    )
    assert wrong.status_code == 401
    for place, text in house.told().items():
        leaked = [canary for canary in (SAID, SHOWN, ASKED) if canary in text]
        assert not leaked, (place, leaked, _around(text, leaked))
