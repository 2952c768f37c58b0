"""Running gateways in front of a simulated provider: one open to this machine, and one with keys."""

from collections.abc import Iterator

import pytest

from tests.gateway import Gateway
from tests.upstreams.server import Upstream

CALM = {
    "GATEWAY__RETRY__MAX_ATTEMPTS": "1",
    "GATEWAY__TOKENS__ERROR_THRESHOLD": "1000",
    "GATEWAY__TOKENS__MAX_ERRORS": "1000",
    "GATEWAY__CIRCUIT__FAILURES": "1000",
    "GATEWAY__CIRCUIT__MIN_CALLS": "1000",
}
"""No second tries, and no memory of the failures that tests cause on purpose."""
KEYS = "ann:admin-key-1:admin,otto:operator-key-1:operator,uma:user-key-1:user"


def environment(upstream: Upstream, **more: str) -> dict[str, str]:
    """What points a gateway's `glm` at the simulated provider."""
    endpoint = f"{upstream.url}/api/paas/v4/chat/completions"
    return {"GLM_ENDPOINT": endpoint, "GLM_API_KEY": "id.secret", **CALM, **more}


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
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker, open to this machine."""
    with Gateway(tmp_path_factory.mktemp("open"), **environment(provider)) as running:
        yield running


@pytest.fixture(scope="module")
def locked(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker with a key for each role."""
    settings = environment(provider, GATEWAY_API_KEYS=KEYS)
    with Gateway(tmp_path_factory.mktemp("locked"), **settings) as running:
        yield running
