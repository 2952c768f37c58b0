"""What is to keep promises: the homes a store may have, and a gateway in front of every kind of provider."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from config.settings import StoreSettings
from core.store.base import Store
from core.store.embedded import EmbeddedStore
from core.store.redis import RedisStore
from core.store.resilient import ResilientStore
from tests.fakes import FakeClock
from tests.integration.providers_kit import World, running_world
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisServer

Opening = Callable[[], Store]
PATIENT = 5.0
"""Seconds for a command: these tests are about what is promised, not about how soon a busy machine answers."""


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One redis for all tests; each uses a prefix of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """One cluster for all tests."""
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=["embedded", "redis", "resilient", "cluster"])
def open_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Opens the same home again with each call, as another worker or the next run would."""
    opened: list[Store] = []
    prefix = f"test-{uuid4().hex}"

    def open_one() -> Store:
        if request.param == "embedded":
            store: Store = EmbeddedStore(tmp_path / "data")
        else:
            server = "redis_cluster" if request.param == "cluster" else "redis_server"
            url = SecretStr(request.getfixturevalue(server).url)
            store = RedisStore(StoreSettings(redis_url=url, prefix=prefix, timeout=PATIENT))
        if request.param == "resilient":
            store = ResilientStore(store, FakeClock())
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_home: Opening) -> Store:
    """The home, opened once."""
    return open_home()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway in front of every kind of provider, one for a module's tests."""
    with running_world(tmp_path_factory.mktemp("world")) as one:
        yield one


@pytest.fixture
def world(running: World) -> World:
    """The same without memory of the test before."""
    running.rest()
    return running
