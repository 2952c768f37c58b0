"""What is shown of each provider, from what its traffic met with."""

from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import CircuitSettings, ProviderSettings
from core.errors import NotFound, UpstreamUnreachable
from schemas.model import Target
from schemas.outcome import Attempt
from services.circuits import Circuits
from services.providers import ProviderService, masked
from services.reachability import Reachability
from services.traffic import ERRORS, LATENCIES, Figures, Traffic
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import INFO
from tests.unit.services.store_fake import DictStore

GLM = ProviderSettings(kind="glm", base_url="https://user:hush@api.z.ai/v4?key=hush")


class Token:
    """A credential as the service tells it."""

    def __init__(self, provider: str, status: str, limits: Any = None, cools: bool = False, rests: str = "") -> None:
        self.id, self.provider, self.status, self._limits = f"{provider}-id", provider, status, limits
        self.cooldown_until = 9.0 if cools else None
        self.cooling_models = dict.fromkeys(rests.split(), 9.0)

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return {"limits": self._limits} if self._limits else {}


class House:
    """Two providers, and so many workers that share a store."""

    def __init__(self, *tokens: Token) -> None:
        self.clock, self.store = FakeClock(), DictStore()
        self.traffic = Traffic(self.clock)
        self.reachability = Reachability(self.clock)
        self.circuits = Circuits(CircuitSettings(failures=2), self.store, self.clock, "w")
        settings = {"glm": GLM, "off": GLM.model_copy(update={"enabled": False})}
        service: Any = SimpleNamespace(infos=lambda: tokens, sync=lambda: None)
        parts = (self.circuits, service, self.traffic, self.reachability, self.store.records, self.clock)
        self.service = ProviderService(settings, *parts)

    def see(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self.traffic.note(attempt)
            self.reachability.note(attempt.provider, attempt.error)

    def fail(self) -> None:
        permit = self.circuits.admit(Target("glm", "glm-4.6", INFO), sole=True)
        permit.failed(UpstreamUnreachable("refused"))
        permit.release()
        self.see(Attempt("glm", "glm-4.6", "id", 1.0, "upstream_unreachable"))


def answer(seconds: float) -> Attempt:
    return Attempt("glm", "glm-4.6", "id", 9.0, None, seconds)


def test_before_any_traffic_nothing_is_made_up() -> None:
    entry = House().service.one("glm")
    assert entry["circuit"] == {
        "state": "closed",
        "failures_in_a_row": 0,
        "opened": 0,
        "retry_in_seconds": None,
        "reason": None,
        "since": None,
    }
    assert entry["latency"] == {"average_seconds": None, "p95_seconds": None, "samples": 0}
    assert entry["requests"] == {"succeeded": 0, "failed": 0}
    assert (entry["last_errors"], entry["targets"], entry["limits"]) == ([], [], {})
    assert entry["reachability"]["reachable"] is None


def test_every_instance_is_listed_and_no_address_tells_a_secret() -> None:
    listing = House().service.listing()
    assert [(one["name"], one["enabled"]) for one in listing] == [("glm", True), ("off", False)]
    assert {one["base_url"] for one in listing} == {"https://api.z.ai/v4"}
    assert "hush" not in str(listing)
    assert masked("http://[::1]:8000/v1") == "http://[::1]:8000/v1"


def test_two_failures_are_seen_at_once_wherever_one_looks() -> None:
    house = House()
    house.fail()
    house.fail()
    entry = house.service.one("glm")
    assert entry["circuit"]["state"] == "open"
    assert (entry["circuit"]["reason"], entry["circuit"]["retry_in_seconds"]) == ("upstream_unreachable", 15)
    assert [(one["model"], one["circuit"]["state"]) for one in entry["targets"]] == [("glm-4.6", "open")]
    assert entry["requests"] == {"succeeded": 0, "failed": 2}
    assert [one["code"] for one in entry["last_errors"]] == ["upstream_unreachable"] * 2
    assert entry["reachability"]["reachable"] is False


def test_a_reset_closes_the_circuits() -> None:
    house = House()
    house.fail()
    house.fail()
    house.clock.advance(1)
    entry = house.service.reset("glm")
    assert entry["circuit"]["state"] == "closed"
    assert [one["circuit"]["state"] for one in entry["targets"]] == ["closed"]


@pytest.mark.parametrize("ask", ["one", "reset"])
def test_an_unknown_provider_is_not_found(ask: str) -> None:
    with pytest.raises(NotFound):
        getattr(House().service, ask)("nope")


def test_credentials_are_counted_by_state_and_limits_are_told_where_they_are_known() -> None:
    house = House(
        Token("glm", "available", [{"kind": "requests"}]), Token("glm", "degraded"), Token("off", "available")
    )
    entry = house.service.one("glm")
    assert entry["credentials"] == {"total": 2, "available": 1, "degraded": 1}
    assert entry["limits"] == {"glm-id": [{"kind": "requests"}]}


def test_credentials_that_rest_are_not_shown_as_available() -> None:
    house = House(
        Token("glm", "available", cools=True),
        Token("glm", "blacklisted", cools=True),
        Token("glm", "available", rests="big small"),
        Token("glm", "available", rests="big"),
    )
    entry = house.service.one("glm")
    assert entry["credentials"] == {"total": 4, "cooling_down": 1, "blacklisted": 1, "available": 2}
    assert entry["cooling_models"] == {"big": 2, "small": 1}


def test_latency_is_that_of_the_first_content() -> None:
    house = House()
    house.see(*(answer(number / 100) for number in range(1, 101)))
    latency = house.service.one("glm")["latency"]
    assert (latency["p95_seconds"], latency["samples"]) == (0.96, 100)
    assert 0.8 < latency["average_seconds"] < 0.95, "the newest weigh the most"


@pytest.mark.parametrize("error", ["client_closed_request", "internal_error"])
def test_what_is_no_fault_of_the_provider_is_not_counted(error: str) -> None:
    house = House()
    house.see(Attempt("glm", "m", "id", 1.0, error))
    assert house.service.one("glm")["requests"] == {"succeeded": 0, "failed": 0}


def test_what_all_workers_saw_is_added_up_and_outlives_them() -> None:
    house = House()
    other = Traffic(house.clock)
    house.see(answer(1.0))
    for _ in range(2):
        other.note(answer(3.0))
    other.sync(house.store.records)
    assert house.service.one("glm")["requests"]["succeeded"] == 3
    assert house.service.one("glm")["requests"]["succeeded"] == 3, "looking twice counts nothing twice"
    late = Traffic(house.clock)
    late.sync(house.store.records)
    assert late.of("glm").successes == 3
    assert sorted(late.of("glm").latencies) == [1.0, 3.0, 3.0]


def test_what_cannot_be_written_is_written_later() -> None:
    house = House()
    house.store.records.away = True
    house.see(answer(1.0))
    house.traffic.sync(house.store.records)
    house.see(answer(2.0))
    assert house.traffic.of("glm").successes == 2
    house.store.records.away = False
    house.traffic.sync(house.store.records)
    assert house.store.records.kinds["traffic"]["glm"]["successes"] == 2


def test_only_the_newest_are_kept() -> None:
    errors = tuple({"code": "x", "model": "m", "at": float(number)} for number in range(50))
    figures = Figures(latencies=(1.0,) * 90).plus(Figures(failures=50, latencies=(2.0,) * 90, errors=errors))
    assert (len(figures.latencies), len(figures.errors)) == (LATENCIES, ERRORS)
    assert figures.errors[-1]["at"] == 49.0


def test_the_errors_of_all_workers_stand_in_the_order_in_which_they_were_met() -> None:
    late, early = ({"code": code, "model": "m", "at": at} for code, at in (("late", 2.0), ("early", 1.0)))
    assert Figures(errors=(late,)).plus(Figures(errors=(early,))).errors == [early, late]
