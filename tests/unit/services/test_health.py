"""How the gateway is, from what is known already."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import HealthSettings
from schemas.health import HealthResponse
from services import health, memory
from services.closing import Closing
from services.health import HealthService
from services.reachability import Reachability
from tests.fakes import FakeClock

TOTAL = 16 * 1024**3
"""The machine's memory."""


class FakeTokens:
    """So many tokens, of which some can be used."""

    def __init__(self, total: int = 2, available: int = 2, problems: dict[str, str] | None = None) -> None:
        self._total, self._available, self._problems = total, available, problems or {}

    def infos(self) -> list[int]:
        return list(range(self._total))

    def available_count(self) -> int:
        return self._available

    def usable_count(self) -> int:
        return self._available

    def problems(self) -> dict[str, str]:
        return self._problems


class House:
    """A health service over parts that a test sets; memory and disk have plenty unless it says otherwise."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.reachability = Reachability(self.clock)
        self.tokens = FakeTokens()
        self.store = SimpleNamespace(degraded=False, ping=lambda: True)
        self.providers = ["glm", "glm-web"]
        self.data_dir = tmp_path
        self.disk_paths: list[str] = []
        self.closing = Closing()
        self.disk, self.memory = 10.0, 10.0
        monkeypatch.setattr(memory, "CGROUP", tmp_path / "no-cgroup")
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(percent=self.memory, total=TOTAL))
        monkeypatch.setattr(health.psutil, "disk_usage", self._disk_usage)

    def service(self) -> HealthService:
        parts: Any = (self.providers, self.reachability, self.tokens, self.store)
        return HealthService(*parts, HealthSettings(), self.data_dir, self.clock, self.closing)

    def report(self) -> HealthResponse:
        return self.service().report()

    def _disk_usage(self, path: str) -> SimpleNamespace:
        self.disk_paths.append(path)
        return SimpleNamespace(percent=self.disk)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def test_all_is_well_when_every_check_says_so(house: House) -> None:
    report = house.report()
    assert report.status == "healthy"
    assert set(report.checks) == {"glm", "tokens", "store", "memory", "disk", "configuration"}
    assert {check.status for check in report.checks.values()} == {"healthy"}
    assert all(check.reason for check in report.checks.values())
    assert report.timestamp.timestamp() == house.clock.now()


def test_uptime_is_counted_from_the_beginning(house: House) -> None:
    service = house.service()
    house.clock.advance(12.5)
    assert service.report().uptime_seconds == 12.5


@pytest.mark.parametrize(
    ("lost", "status"), [(["glm"], "degraded"), (["glm", "glm-web"], "unhealthy"), ([], "healthy")]
)
def test_providers_that_fail_are_named(house: House, lost: list[str], status: str) -> None:
    for name in lost:
        house.reachability.note(name, "upstream_timeout")
    check = house.report().checks["glm"]
    assert check.status == status
    for name in lost:
        assert f"{name} (upstream_timeout)" in check.reason
        assert check.figures[name] == "unreachable"


def test_traffic_that_went_well_and_no_traffic_are_told_apart(house: House) -> None:
    house.reachability.note("glm", None)
    assert house.report().checks["glm"].figures == {"glm": "reachable", "glm-web": "no traffic yet"}


@pytest.mark.parametrize(
    ("total", "available", "status"), [(0, 0, "unhealthy"), (2, 0, "unhealthy"), (2, 1, "degraded"), (2, 2, "healthy")]
)
def test_tokens_that_cannot_be_used_are_told(house: House, total: int, available: int, status: str) -> None:
    house.tokens = FakeTokens(total, available)
    check = house.report().checks["tokens"]
    assert check.status == status
    assert check.figures == {"total": total, "available": available, "usable": available}


def test_a_token_file_that_cannot_be_used_is_told(house: House) -> None:
    house.tokens = FakeTokens(problems={"glm-web": "token.json is not JSON"})
    check = house.report().checks["tokens"]
    assert (check.status, check.reason) == ("degraded", "token.json is not JSON")


@pytest.mark.parametrize(("degraded", "answers"), [(True, True), (False, False)])
def test_a_store_that_cannot_be_reached_degrades(house: House, degraded: bool, answers: bool) -> None:
    house.store = SimpleNamespace(degraded=degraded, ping=lambda: answers)
    assert house.report().checks["store"].status == "degraded"
    assert house.report().status == "degraded"


@pytest.mark.parametrize("what", ["memory", "disk"])
def test_what_fills_up_degrades(house: House, what: str) -> None:
    setattr(house, what, 99.0)
    check = house.report().checks[what]
    assert check.status == "degraded"
    assert check.figures == {"used_share": 0.99}
    assert check.reason == "99% in use"


def test_memory_is_that_of_the_container_when_it_has_a_limit(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("950\n")
    # Files that were read or written long ago: the kernel drops them before it kills anything.
    (tmp_path / "memory.stat").write_text("anon 350\ninactive_file 400\nactive_file 200\n")
    assert house.report().checks["memory"].figures == {"used_share": 0.55}
    (tmp_path / "memory.max").write_text("max\n")
    assert house.report().checks["memory"].figures == {"used_share": 0.1}


def test_a_container_of_the_first_version_of_control_groups_has_a_limit_too(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text("1000\n")
    (folder / "memory.usage_in_bytes").write_text("950\n")
    (folder / "memory.stat").write_text("cache 1\ninactive_file 5\ntotal_cache 1\ntotal_inactive_file 400\n")
    assert memory.memory_limit() == 1000
    assert house.report().checks["memory"].figures == {"used_share": 0.55}
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory.memory_limit() == TOTAL, "which is how it says that there is none"
    assert house.report().checks["memory"].figures == {"used_share": 0.1}


def test_the_disk_is_that_of_the_data(house: House) -> None:
    house.report()
    assert house.disk_paths == [str(house.data_dir)]


def test_without_a_data_directory_the_disk_is_that_of_the_working_directory(house: House) -> None:
    house.data_dir = house.data_dir / "not-there"
    house.report()
    assert house.disk_paths == [str(Path.cwd())]


def test_the_worst_check_is_the_whole(house: House) -> None:
    house.memory = 99.0
    assert house.report().status == "degraded"
    house.tokens = FakeTokens(1, 0)
    assert house.report().status == "unhealthy"


def test_it_is_ready_while_there_are_tokens_even_if_none_can_be_used_now(house: House) -> None:
    house.tokens = FakeTokens(1, 0)
    assert house.service().not_ready() is None
    house.tokens = FakeTokens(0, 0)
    assert house.service().not_ready() == "no token is configured"
