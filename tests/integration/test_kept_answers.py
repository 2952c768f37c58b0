"""Kept answers on a real redis that has little memory and drops nothing by itself."""

import json
from collections.abc import Iterator

import pytest
import redis as redis_library

from tests.gateway import Gateway
from tests.integration.conftest import environment
from tests.redis_server import RedisServer
from tests.upstreams.answers import glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Events, Head

ANSWER = "word " * 8_000
USE = {"X-Cache": "use"}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    limits = ("--maxmemory", "5mb", "--maxmemory-policy", "noeviction")
    with RedisServer(tmp_path_factory.mktemp("redis"), *limits) as server:
        yield server


@pytest.fixture(scope="module")
def keeping(provider: Upstream, narrow: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "REDIS_URL": narrow.url,
        "WORKERS": "1",
        "GATEWAY__RESPONSE_CACHE__ENABLED": "true",
        "GATEWAY__RESPONSE_CACHE__MAX_BYTES": "1000000",
        "GATEWAY__RESPONSE_CACHE__LOCAL_BYTES": "0",
        "GATEWAY__RESPONSE_CACHE__MODELS": json.dumps({"glm-4.5-air": {"max_bytes": 300_000}}),
    }
    with Gateway(tmp_path_factory.mktemp("keeping"), **environment(provider, **settings)) as gateway:
        yield gateway


def test_answers_are_kept_in_the_room_there_is_and_redis_never_gets_full(
    keeping: Gateway, narrow: RedisServer, upstream: Upstream
) -> None:
    upstream.script(Head(), Events(glm_stream(ANSWER, piece=8_000)), times=None)

    def asked(number: int, model: str = "glm-4.6") -> str:
        answer = keeping.chat(f"question {number}", headers=USE, model=model)
        assert answer.status_code == 200
        return str(answer.headers["X-Gateway-Cache"])

    for number in range(130):
        assert asked(number) == "miss", "five million bytes of answers"
    assert asked(129) == "hit"
    assert asked(110) == "hit"
    assert asked(0) == "miss"
    for number in range(10):
        assert asked(number, "glm-4.5-air") == "miss"
    assert asked(129) == "hit", "another model's answers have a room of their own"
    assert asked(0, "glm-4.5-air") == "miss"
    assert not keeping.events("store_degraded"), "redis would refuse to write"
    with redis_library.Redis.from_url(narrow.url) as client:
        assert sum(client.strlen(key) for key in client.keys("glm:kept:response:*")) <= 1_300_000
        assert {key.decode() for key in client.keys("*answers*:order")} == {
            "glm:{glm:room:answers}:order",
            "glm:{glm:room:answers:model:glm-4.5-air}:order",
        }
