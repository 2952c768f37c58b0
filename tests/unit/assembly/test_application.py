"""One configuration takes the place of another in one process."""

import gc
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import pytest
import structlog
from werkzeug.test import Client

from assembly.application import Assembly
from assembly.configured import Configured
from services import Services

KEY = "key-of-the-boss"
BASE = """
access: {{keys: [{{name: boss, key: {key}, role: admin}}]}}
logging: {{level: {level}}}
providers:
  glm: {{base_url: "http://127.0.0.1:1/chat", api_keys: [{credentials}]}}
  {more}
"""


class House:
    """An application that goes by a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"DATA_DIR": str(directory / "data"), "LOG_FILE": str(directory / "log")}
        self.write()
        configured = Configured(self.environ, directory)
        self.assembly = Assembly(configured.settings, configured.book)
        self.assembly.follow(configured.files, configured.reading, None)
        self.client = Client(self.assembly.front)

    def write(self, *, key: str = KEY, level: str = "INFO", credentials: str = "a.1", more: str = "") -> None:
        text = BASE.format(key=key, level=level, credentials=credentials, more=more)
        (self.directory / "gateway.yaml").write_text(text)

    def reload(self, **fields: Any) -> Services:
        self.write(**fields)
        assert self.services.configuration.reload("signal"), self.services.configuration.rejected()
        return self.services

    @property
    def services(self) -> Services:
        found: Services = self.assembly.front.current.extensions["gateway"]
        return found

    def get(self, path: str, key: str = KEY) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    with ExitStack() as stack:
        stack.callback(structlog.reset_defaults)
        house = House(tmp_path)
        stack.callback(lambda: house.services.close())
        yield house
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_request_goes_by_what_was_in_effect_when_it_came(house: House) -> None:
    before = house.services
    with house.get("/v1/models") as answer:
        assert before.in_flight.count == 1
        after = house.reload(key="another-key", credentials="a.1, b.2")
        assert after is not before
        assert (before.in_flight.count, after.in_flight.count) == (1, 0)
        assert len(after.base.retired) == 1
        after.base.retired.sync()
        assert len(after.base.retired) == 1, "not while a request goes by it"
        assert answer.status_code == 200
    after.base.retired.sync()
    assert len(after.base.retired) == 0
    assert house.get("/v1/models").status_code == 401
    assert house.get("/v1/models", "another-key").status_code == 200


def test_a_request_that_fails_is_over_too(house: House) -> None:
    for path in ("/nowhere", "/v1/models/none", "/v1/keys/none"):
        house.get(path).close()
    house.client.post("/v1/chat/completions", data=b"{", headers={"Authorization": f"Bearer {KEY}"}).close()
    assert house.services.in_flight.count == 0


def test_what_is_known_of_a_key_is_known_whoever_learns_it(house: House) -> None:
    before = house.services
    pool = before.instances.pools["glm"]
    lease = pool.lease()
    after = house.reload(credentials="a.1, b.2")
    fresh = after.instances.pools["glm"]
    assert [info.in_use for info in fresh.infos()] == [1, 0]
    lease.succeed(None, 1.0, None)
    assert [(info.in_use, info.stats.total_requests) for info in fresh.infos()] == [(0, 1), (0, 0)]
    removed = house.reload(credentials="b.2").instances.pools["glm"]
    assert len(removed) == 1
    again = house.reload(credentials="a.1").instances.pools["glm"]
    assert again.infos()[0].stats.total_requests == 1
    assert len(pool) == 1, "who came first goes on with what there was"


def test_a_file_of_tokens_that_is_broken_takes_none_of_them_away(house: House) -> None:
    tokens = house.directory / "tokens.json"
    tokens.write_text('["t-1", "t-2"]')
    file = f"glm-web: {{token_file: {tokens}}}"
    assert len(house.reload(more=file).instances.pools["glm-web"]) == 2
    tokens.write_text('["t-1", ')
    after = house.reload(more=file, level="ERROR")
    assert len(after.instances.pools["glm-web"]) == 2
    assert "not valid JSON" in after.tokens.problems()["glm-web"]
    tokens.write_text('["t-3"]')
    after.tokens.reload()
    assert len(after.instances.pools["glm-web"]) == 1


def test_what_the_gateway_has_learned_stands(house: House) -> None:
    before = house.services
    target = before.routing.targets("glm-4.6")[0]
    for _ in range(before.settings.circuit.failures):
        from core.errors import UpstreamUnreachable

        before.base.circuits.admit(target, sole=True).failed(UpstreamUnreachable("away"))
    before.failover.activate("claude-opus-4-5", 600)
    after = house.reload(level="ERROR")
    assert after.base.circuits.state("glm") == "open"
    assert after.failover.is_active("claude-opus-4-5")
    assert after.telemetry is before.telemetry
    assert after.base.transport is before.base.transport
    assert house.get("/v1/metrics").text.count('glm_circuit_state{provider="glm"} 2.0') == 1


def test_a_provider_that_is_gone_has_no_open_circuit(house: House) -> None:
    other = 'other: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", api_key: k, models: [m]}'
    services = house.reload(more=other)
    services.base.telemetry.circuits({"other": 2})
    house.reload()
    assert 'glm_circuit_state{provider="other"} 0.0' in house.get("/v1/metrics").text


def test_a_mistake_that_shows_late_leaves_everything_as_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = house.services

    def fails(*_: Any) -> Any:
        raise ValueError("it cannot be built")

    monkeypatch.setattr(sys.modules["services.chat_parts"], "Pipeline", fails)
    house.write(credentials="c.3")
    assert not before.configuration.reload("file")
    assert house.services is before
    assert [info.in_use for info in before.instances.pools["glm"].infos()] == [0]
    assert "it cannot be built" in house.get("/v1/health").get_json()["checks"]["configuration"]["reason"]


def test_twenty_reloads_leave_no_greenlet_thread_or_service_behind(house: House) -> None:
    house.services.background.start()
    chores = {chore.name for chore in house.services.background.chores}

    def count() -> tuple[int, int, int]:
        gevent.idle()
        house.services.base.retired.sync()
        gc.collect()
        living = [one for one in gc.get_objects() if isinstance(one, gevent.Greenlet) and not one.dead]
        services = [one for one in gc.get_objects() if type(one) is Services]
        return len(living), threading.active_count(), len(services)

    house.reload(level="ERROR")
    before = count()
    for number in range(20):
        house.reload(level="WARNING" if number % 2 else "ERROR", credentials=f"a.1, b.{number}")
        house.get("/v1/models").close()
    assert count() == before
    assert {chore.name for chore in house.services.background.chores} == chores
