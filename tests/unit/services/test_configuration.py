"""Which configuration is in effect, and who is told."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import Settings
from core.errors import ConfigurationInvalid, Conflict
from core.metrics import Metrics
from services.census import Census
from services.configuration import PATIENCE, TOLD_ONCE_SECONDS, ConfigurationService
from services.configuration_parts import Source
from services.telemetry import Telemetry
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictStore


class Mistakes(ValueError):
    def __init__(self, *problems: str) -> None:
        super().__init__("wrong")
        self.problems = problems


@dataclass
class Read:
    """A reading by its version."""

    version: str
    settings: Settings = field(default_factory=Settings)
    needs_restart: tuple[str, ...] = ()

    @property
    def shown(self) -> dict[str, Any]:
        return {"version": self.version}


class Worker:
    """One worker's service, with files that a test writes to: the next version, or what is wrong with it."""

    def __init__(self, house: "House", name: str) -> None:
        self.files: str | Exception = "one"
        self.news: str | None = None
        self.applied: list[str] = []
        self.failure: Exception | None = None
        self.metrics = Metrics()
        store, clock = house.store, house.clock
        self.service = ConfigurationService(store.counters, Telemetry(self.metrics), clock, name, house.pause)
        self.census = Census(store, clock, name, self.service.of_this_worker)
        self.service.join(self.census)
        announce = house.announce if house.announces else None
        self.service.begin(Read("one"), Source(self._read, lambda: self.news, self._apply, "here", announce))

    @property
    def told(self) -> Any:
        return self.service.told()

    def _read(self, _running: Settings) -> Read:
        if isinstance(self.files, Exception):
            raise self.files
        return Read(self.files)

    def _apply(self, _settings: Settings) -> None:
        if self.failure is not None:
            raise self.failure
        self.applied.append(str(self.files))


class House:
    """Workers that share a store, and hear each other's announcements."""

    def __init__(self, *names: str, announces: bool = True) -> None:
        self.clock = FakeClock()
        self.store: Any = DictStore()
        self.announces = announces
        self.announced = 0
        self.deaf: set[str] = set()
        self.workers = {name: Worker(self, name) for name in names}

    def announce(self) -> None:
        self.announced += 1
        for name, worker in self.workers.items():
            if name not in self.deaf:
                worker.service.reload("signal")

    def pause(self, _seconds: float) -> None:
        self.clock.advance(PATIENCE / 4)
        for worker in self.workers.values():
            worker.census.show()

    def write(self, files: str | Exception) -> None:
        for worker in self.workers.values():
            worker.files = files


def test_another_version_takes_effect_and_the_same_one_does_nothing() -> None:
    house = House("a", announces=False)
    worker = house.workers["a"]
    assert worker.service.reload("signal")
    assert worker.applied == []
    house.clock.advance(60)
    worker.files = "two"
    with capture_logs() as logs:
        assert worker.service.reload("signal")
    assert worker.applied == ["two"]
    assert (worker.told["version"], worker.told["settings"]) == ("two", {"version": "two"})
    assert [(log["event"], log["version"]) for log in logs] == [("config_reloaded", "two")]
    assert worker.metrics.configured_at._value.get() == house.clock.now()


@pytest.mark.parametrize("failure", [Mistakes("this", "that"), ValueError("this")], ids=["of several", "of one"])
def test_what_cannot_be_used_changes_nothing_and_is_told(failure: Exception) -> None:
    house = House("a", announces=False)
    worker = house.workers["a"]
    worker.files = failure
    problems = list(getattr(failure, "problems", ["this"]))
    with capture_logs() as logs:
        assert not worker.service.reload("file")
    assert worker.applied == []
    assert worker.told["version"] == "one"
    assert worker.told["last_reload"] == {**worker.told["last_reload"], "ok": False, "problems": problems}
    assert [(log["event"], log["problems"], log["in_effect"]) for log in logs] == [("config_rejected", problems, "one")]
    assert "this" in (worker.service.rejected() or "")
    assert worker.metrics.configured._value.get() == 0
    worker.files = "one"
    assert worker.service.reload("file")
    assert worker.service.rejected() is None
    assert worker.metrics.configured._value.get() == 1


@pytest.mark.parametrize("failure", [ValueError("no such key file"), RuntimeError("a fault of ours")])
def test_what_fails_as_it_is_to_take_effect_leaves_what_was(failure: Exception) -> None:
    worker = House("a", announces=False).workers["a"]
    worker.files, worker.failure = "two", failure
    assert not worker.service.reload("signal")
    assert worker.told["version"] == "one"
    worker.failure = None
    assert worker.service.reload("signal")
    assert worker.told["version"] == "two"


def test_whoever_asks_has_every_worker_follow() -> None:
    house = House("a", "b", "c")
    house.write("two")
    told = house.workers["b"].service.request("boss")
    assert (told["changed"], told["complete"], told["version"]) == (True, True, "two")
    assert [(one["id"], one["newest"]) for one in told["workers"]] == [("a", True), ("b", True), ("c", True)]
    assert house.workers["b"].told["last_reload"]["trigger"] == "request"
    assert all(worker.applied == ["two"] for worker in house.workers.values())


def test_a_worker_that_does_not_follow_is_named() -> None:
    house = House("a", "b")
    house.deaf = {"b"}
    house.write("two")
    told = house.workers["a"].service.request("boss")
    assert (told["complete"], [one["newest"] for one in told["workers"]]) == (False, [True, False])


def test_whoever_asks_for_what_cannot_be_used_is_told_all_of_it_and_nobody_else_is_bothered() -> None:
    house = House("a", "b")
    house.write(Mistakes("this", "that"))
    with pytest.raises(ConfigurationInvalid) as raised:
        house.workers["a"].service.request("boss")
    assert raised.value.details == {"problems": ["this", "that"]}
    assert house.announced == 0
    house.write("two")
    assert house.workers["a"].service.request("boss")["complete"], "the earlier mistakes are over"


def test_a_change_that_all_see_is_announced_by_one() -> None:
    house = House("a", "b", "c")
    house.write("two")
    for worker in house.workers.values():
        worker.news = "changed"
    for worker in house.workers.values():
        worker.service.look()
    assert house.announced == 1
    assert house.workers["a"].told["last_reload"]["trigger"] == "file"


def test_a_change_that_one_was_about_to_announce_is_announced_by_another_a_moment_later() -> None:
    house = House("a", "b")
    for worker in house.workers.values():
        worker.news = "changed"
    house.deaf = {"a", "b"}
    house.workers["a"].service.look()
    house.workers["b"].service.look()
    assert house.announced == 1
    house.clock.advance(TOLD_ONCE_SECONDS)
    house.workers["b"].service.look()
    assert house.announced == 2, "nobody has heard the first"


def test_a_mistake_that_all_see_is_logged_by_one() -> None:
    house = House("a", "b", "c")
    house.write(Mistakes("this"))
    with capture_logs() as logs:
        house.announce()
    assert [log["event"] for log in logs] == ["config_rejected"]


def test_without_files_there_is_nothing_to_read_again() -> None:
    store, clock = DictStore(), FakeClock()
    service = ConfigurationService(store.counters, Telemetry(Metrics()), clock, "a")
    service.look()
    assert service.rejected() is None
    for act in (service.told, lambda: service.request("boss")):
        with pytest.raises(Conflict):
            act()
