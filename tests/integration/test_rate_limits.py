"""Limits on requests, over HTTP, with every worker counting in the same redis."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis as redis_library
import requests

from tests.gateway import Gateway, eventually
from tests.integration.conftest import environment
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream

LIMIT = 30
NAMES = ("ann", "bob", "cat", "dan", "eve", "flo", "gus", "hal")
"""Callers; each test uses up the limits of its own ones, and of addresses of its own."""
DURATION = re.compile(r"(?:1m)?\d+(?:\.\d+)?s|\d+ms")
"""OpenAI's form of at most a minute or so: `59.98s`, `1m0s`, `17ms`."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def limited(provider: Upstream, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Four workers that limit each key to so many requests a minute, and each address to a few more."""
    settings = environment(
        provider,
        REDIS_URL=redis.url,
        GATEWAY_API_KEYS=",".join(f"{name}:key-of-{name}" for name in NAMES) + ",ops:key-of-ops:operator",
        GATEWAY__RATE_LIMITS__REQUESTS_PER_MINUTE=str(LIMIT),
        GATEWAY__RATE_LIMITS__REQUESTS_PER_MINUTE_PER_IP=str(LIMIT + 10),
        GATEWAY__SERVER__TRUSTED_PROXIES="1",
    )
    with Gateway(tmp_path_factory.mktemp("limited"), **settings) as gateway:
        yield gateway


def headers(name: str, ip: str) -> dict[str, str]:
    return {"Authorization": f"Bearer key-of-{name}", "X-Forwarded-For": ip}


def ask(gateway: Gateway, name: str, ip: str) -> requests.Response:
    return gateway.get("/v1/models", headers=headers(name, ip))


def ask_often(gateway: Gateway, times: int, name: str, ip: str) -> list[requests.Response]:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda _: ask(gateway, name, ip), range(times)))


def statuses(answers: list[requests.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def degraded(gateway: Gateway) -> bool:
    (line,) = re.findall(r"^glm_store_degraded (\S+)$", gateway.get("/v1/metrics").text, re.MULTILINE)
    return float(line) == 1


def test_of_many_at_once_exactly_the_limit_passes_and_all_are_told(limited: Gateway) -> None:
    answers = ask_often(limited, 4 * LIMIT, "ann", "10.0.0.1")
    assert statuses(answers) == {200: LIMIT, 429: 3 * LIMIT}
    assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {str(LIMIT)}
    passed = [answer for answer in answers if answer.status_code == 200]
    left = sorted(int(answer.headers["x-ratelimit-remaining-requests"]) for answer in passed)
    assert left == list(range(LIMIT)), "each was told what was left after it"
    for answer in answers:
        assert DURATION.fullmatch(answer.headers["x-ratelimit-reset-requests"])


def test_a_refusal_says_whose_limit_it_was_and_when_it_opens(limited: Gateway, upstream: Upstream) -> None:
    ask_often(limited, LIMIT, "bob", "10.0.0.2")
    refused = limited.chat(headers=headers("bob", "10.0.0.3"))
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    opens = error["details"].pop("opens_in_seconds")
    assert 0 < opens <= int(refused.headers["Retry-After"])
    assert error["details"] == {
        "scope": "key",
        "name": "bob",
        "unit": "requests",
        "limit": LIMIT,
        "remaining": 0,
        "requested": 1,
        "window_seconds": 60,
    }
    assert not upstream.requests, "nothing was asked of the provider"


def test_each_key_has_its_own_limit(limited: Gateway) -> None:
    assert statuses(ask_often(limited, LIMIT + 1, "cat", "10.0.1.1")) == {200: LIMIT, 429: 1}
    assert ask(limited, "dan", "10.0.1.1").headers["x-ratelimit-remaining-requests"] == "9", "of the address, by now"


def test_an_address_is_limited_over_all_keys_and_a_refusal_costs_the_key_nothing(limited: Gateway) -> None:
    ask_often(limited, LIMIT, "eve", "10.0.2.1")
    answers = ask_often(limited, 20, "flo", "10.0.2.1")
    assert statuses(answers) == {200: 10, 429: 10}
    refusal = next(answer for answer in answers if answer.status_code == 429)
    assert refusal.json()["error"]["details"]["scope"] == "ip"
    assert ask(limited, "flo", "10.0.2.2").headers["x-ratelimit-remaining-requests"] == str(LIMIT - 11)


def test_an_address_is_what_the_trusted_proxy_reports_and_not_what_the_client_claims(limited: Gateway) -> None:
    ask_often(limited, LIMIT, "gus", "10.0.3.1")
    ask_often(limited, 10, "hal", "10.0.3.1")
    assert ask(limited, "hal", "192.0.2.7, 10.0.3.1").status_code == 429
    assert ask(limited, "hal", "10.0.3.1, 192.0.2.7").status_code == 200


def test_who_has_no_key_uses_up_the_limit_of_the_address_alone(limited: Gateway) -> None:
    assert statuses(ask_often(limited, LIMIT + 20, "nobody", "10.0.4.1")) == {401: LIMIT + 10, 429: 10}
    assert ask(limited, "dan", "10.0.4.1").status_code == 429, "a right key is answered like a wrong one"
    assert ask(limited, "dan", "10.0.4.2").status_code == 200


def test_monitoring_is_not_counted(limited: Gateway) -> None:
    for path in ("/v1/health", "/v1/health/live", "/v1/health/ready", "/v1/metrics"):
        answer = limited.get(path, headers=headers("ops", "10.0.5.1"))
        assert answer.status_code == 200
        assert "x-ratelimit-limit-requests" not in answer.headers


def test_without_redis_requests_go_on_and_all_of_it_is_told(upstream: Upstream, tmp_path: Path) -> None:
    with RedisServer(tmp_path) as redis:
        settings = environment(upstream, REDIS_URL=redis.url, GATEWAY__RATE_LIMITS__REQUESTS_PER_MINUTE="1000")
        with Gateway(tmp_path, **settings) as gateway:
            assert gateway.chat().status_code == 200
            # A worker that starts without its store cannot know which keys there are, and lets nobody in.
            assert eventually(lambda: redis_library.Redis(port=redis.port).hlen("glm:{glm:records:worker}") == 4)
            redis.stop()
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: gateway.chat(), range(16)))
            assert statuses(answers) == {200: 16}
            assert all("x-ratelimit-remaining-requests" in answer.headers for answer in answers)
            assert eventually(lambda: degraded(gateway))
            check = gateway.get("/v1/health").json()["checks"]["store"]
            assert (check["status"], "alone" in check["reason"]) == ("degraded", True)
            assert eventually(lambda: len(gateway.events("store_degraded")) == 4), "each worker finds out by itself"
            redis.start()
            assert eventually(lambda: len(gateway.events("store_recovered")) == 4)
            assert eventually(lambda: not degraded(gateway))
            assert gateway.get("/v1/health").json()["checks"]["store"]["status"] == "healthy"
            assert gateway.chat().status_code == 200
            assert len(gateway.events("store_degraded")) == 4, "told once, however many requests there were"
