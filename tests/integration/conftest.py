"""A running gateway in front of a simulated provider: one worker embedded, and four workers on a real redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream

FAST = {
    "GATEWAY__STREAM__KEEP_ALIVE": "1",
    "GATEWAY__RETRY__MAX_ATTEMPTS": "2",
    "GATEWAY__RETRY__BUDGET_MIN": "1000",
    "GATEWAY__TOKENS__ERROR_THRESHOLD": "1000",
    "GATEWAY__TOKENS__MAX_ERRORS": "1000",
    "GATEWAY__CIRCUIT__FAILURES": "1000",
    "GATEWAY__CIRCUIT__MIN_CALLS": "1000",
}
"""Short waits, and no memory of the failures that tests cause on purpose."""


def environment(upstream: Upstream, **more: str) -> dict[str, str]:
    """What points a gateway's `glm` at the simulated provider."""
    endpoint = f"{upstream.url}/api/paas/v4/chat/completions"
    return {"GLM_ENDPOINT": endpoint, "GLM_API_KEY": "id.secret", **FAST, **more}


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """The simulated provider of a module's tests."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(provider: Upstream) -> Upstream:
    """The same without memory of the test before."""
    provider.reset()
    return provider


@pytest.fixture(scope="module")
def embedded(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker, state in the process and a SQLite file."""
    with Gateway(tmp_path_factory.mktemp("embedded"), **environment(provider)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def shared(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Four workers on a real redis."""
    directory: Path = tmp_path_factory.mktemp("shared")
    with RedisServer(directory) as redis, Gateway(directory, **environment(provider, REDIS_URL=redis.url)) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=["embedded", "shared"])
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """Each of the two."""
    running: Gateway = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def fresh(embedded: Gateway) -> Iterator[Gateway]:
    """The embedded gateway, with every token reset afterwards: for tests whose errors weigh on them."""
    yield embedded
    rest(embedded)


def rest(gateway: Gateway) -> None:
    """Let every token be used again."""
    for token in gateway.get("/v1/tokens").json()["data"]:
        gateway.post(f"/v1/tokens/{token['id']}/reset", None)


@pytest.fixture(scope="module")
def impatient(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker that waits half a second for a byte."""
    settings = environment(provider, GLM_TIMEOUT="0.5", GATEWAY__RETRY__MAX_ATTEMPTS="1")
    with Gateway(tmp_path_factory.mktemp("impatient"), **settings) as gateway:
        yield gateway
