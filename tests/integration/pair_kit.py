"""Two gateways on one redis, in front of one simulated provider."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.gateway import Gateway
from tests.redis_server import RedisServer
from tests.upstreams.server import Upstream

Settings = Callable[[Upstream, RedisServer], dict[str, Any]]


@contextmanager
def two_gateways(
    directories: pytest.TempPathFactory, settings: Settings, environment: dict[str, str]
) -> Iterator[tuple[tuple[Gateway, Gateway], Upstream, RedisServer]]:
    """Both with the same `settings` in their gateway.yaml."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(directories.mktemp("redis")))
        upstream = stack.enter_context(Upstream())

        def gateway(name: str) -> Gateway:
            directory = directories.mktemp(name)
            with (directory / "gateway.yaml").open("w") as file:
                YAML(typ="safe").dump(settings(upstream, redis), file)
            return stack.enter_context(Gateway(directory, **environment))

        yield (gateway("first"), gateway("second")), upstream, redis
