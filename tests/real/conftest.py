"""One running gateway for all clients, in front of a simulated provider that speaks three forms."""

from collections.abc import Iterator

import pytest

from tests.gateway import Gateway
from tests.real import kit
from tests.upstreams.server import Upstream


@pytest.fixture(scope="session")
def provider() -> Iterator[Upstream]:
    """The simulated provider."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(provider: Upstream) -> Upstream:
    """The same without memory of the test before."""
    provider.reset()
    return provider


@pytest.fixture(scope="session")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker that knows one caller's key, and an admin's; made only when there are clients to ask it."""
    kit.packages()
    with Gateway(tmp_path_factory.mktemp("clients"), **kit.settings(provider)) as running:
        yield running


@pytest.fixture
def fresh(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway, with every credential reset afterwards: for tests whose errors weigh on them."""
    yield gateway
    headers = {"Authorization": f"Bearer {kit.ADMIN}"}
    for token in gateway.get("/v1/tokens", headers=headers).json()["data"]:
        gateway.post(f"/v1/tokens/{token['id']}/reset", None, headers=headers)
