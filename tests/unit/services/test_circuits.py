"""Circuits of targets and providers, over several workers."""

from typing import Any

import pytest

from config.settings import CircuitSettings
from core.errors import (
    CircuitOpen,
    GatewayError,
    InvalidRequest,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from schemas.model import Target
from services.circuits import KIND, Circuits
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import INFO
from tests.unit.services.store_fake import DictStore

ONE, TWO, ELSEWHERE = Target("p", "one", INFO), Target("p", "two", INFO), Target("q", "one", INFO)
BROKEN = UpstreamServerError("no")


class House:
    """So many workers that share a store."""

    def __init__(self, workers: int = 1, **settings: Any) -> None:
        self.clock, self.store = FakeClock(), DictStore()
        self._settings = CircuitSettings(**{"failures": 3, "open_seconds": 10, **settings})
        self.workers = [self.worker(f"w{number}") for number in range(workers)]

    def worker(self, name: str) -> Circuits:
        return Circuits(self._settings, self.store, self.clock, name)

    @property
    def only(self) -> Circuits:
        return self.workers[0]

    def fail(self, target: Target = ONE, times: int = 3, error: GatewayError = BROKEN, worker: int = 0) -> None:
        for _ in range(times):
            permit = self.workers[worker].admit(target, sole=True)
            permit.failed(error)
            permit.release()

    def answer(self, target: Target = ONE, worker: int = 0) -> None:
        permit = self.workers[worker].admit(target)
        permit.begun()
        permit.release()


def refusal(circuits: Circuits, target: Target = ONE) -> CircuitOpen:
    with pytest.raises(CircuitOpen) as raised:
        circuits.admit(target)
    return raised.value


def test_a_target_that_keeps_failing_is_left_alone() -> None:
    house = House()
    house.fail(times=2)
    house.answer()
    house.fail()
    error = refusal(house.only)
    assert (error.status, error.code, error.retry_after) == (503, "circuit_open", 10)
    assert error.details == {
        "provider": "p",
        "model": "one",
        "circuit": "p/one",
        "reason": "upstream_server_error",
    }
    house.only.admit(ELSEWHERE).release()


@pytest.mark.parametrize("error", [BROKEN, UpstreamBroken("no"), UpstreamTimeout("silent")])
def test_one_model_that_fails_leaves_the_others_alone(error: GatewayError) -> None:
    house = House(2)
    house.fail(times=50, error=error)
    assert (house.only.state("p/one"), house.only.state("p")) == ("open", "closed")
    house.workers[1].sync()
    for worker in house.workers:
        refusal(worker, ONE)
        worker.admit(TWO).release()


def test_a_host_that_cannot_be_reached_is_so_for_all_models() -> None:
    house = House()
    house.fail(error=UpstreamUnreachable("refused"))
    assert refusal(house.only, TWO).details["circuit"] == "p"  # type: ignore[index] # it has details


def test_what_fails_as_a_whole_is_left_alone_as_a_whole() -> None:
    house = House()
    house.fail(ONE, 2)
    house.fail(TWO, 1)
    assert house.only.state("p") == "open"
    assert house.only.state("p/one") == house.only.state("p/two") == "closed"
    assert refusal(house.only, TWO).details["circuit"] == "p"  # type: ignore[index] # it has details


def test_an_overloaded_model_says_nothing_of_the_others() -> None:
    house = House()
    house.fail(error=UpstreamOverloaded("busy"))
    refusal(house.only, ONE)
    house.only.admit(TWO).release()


@pytest.mark.parametrize("error", [InvalidRequest("no"), UpstreamUnauthorized("no"), UpstreamRateLimited("no")])
def test_what_is_wrong_with_requests_and_keys_opens_nothing(error: GatewayError) -> None:
    house = House()
    house.fail(times=20, error=error)
    house.only.admit(ONE).release()


def test_a_sole_target_is_tried_all_the_same() -> None:
    house = House()
    house.fail()
    house.only.admit(ONE, sole=True).release()


def test_when_its_time_is_over_one_request_is_let_through_and_no_second() -> None:
    house = House()
    house.fail()
    house.clock.advance(10)
    probe = house.only.admit(ONE)
    assert house.only.state("p/one") == "half_open"
    assert house.only.wait(ONE) == refusal(house.only).retry_after == 1, "until its probe has found out"
    for _ in range(20):
        assert refusal(house.only).retry_after == 1
    probe.begun()
    probe.release()
    assert house.only.state("p/one") == house.only.state("p") == "closed"
    house.only.admit(ONE).release()


def test_of_all_workers_one_lets_one_request_through() -> None:
    house = House(4)
    house.fail()
    for worker in house.workers:
        worker.sync()
    house.clock.advance(10)
    probe = house.workers[2].admit(ONE)
    for worker in house.workers:
        refusal(worker)
    probe.failed(BROKEN)
    probe.release()
    assert house.workers[2].wait(ONE) == 20
    for worker in house.workers:
        worker.sync()
    assert {round(refusal(worker).retry_after or 0) for worker in house.workers} == {20}


def test_a_probe_that_shows_nothing_lets_the_next_one_through() -> None:
    house = House(2)
    house.fail()
    house.workers[1].sync()
    house.clock.advance(10)
    probe = house.workers[0].admit(ONE)
    probe.failed(UpstreamRateLimited("slow down"))
    probe.release()
    assert house.workers[0].state("p/one") == "half_open"
    house.workers[1].admit(ONE).release()


def test_a_probe_that_nobody_gives_back_blocks_for_a_minute_only() -> None:
    house = House()
    house.fail()
    house.clock.advance(10)
    house.only.admit(ONE)
    house.clock.advance(59)
    refusal(house.only)
    house.clock.advance(1)
    house.only.admit(ONE)


def test_both_circuits_must_let_a_request_through() -> None:
    house = House()
    house.fail(ONE, error=UpstreamUnreachable("refused"))
    house.clock.advance(5)
    house.fail(TWO, error=UpstreamUnreachable("refused"))
    house.clock.advance(5)
    assert (house.only.state("p"), house.only.state("p/two")) == ("half_open", "open")
    assert refusal(house.only, TWO).retry_after == 5
    house.only.admit(ONE).release()


def test_that_a_circuit_opened_is_written_at_once_and_closed_as_well() -> None:
    house = House()
    house.fail()
    assert house.store.records.kinds[KIND]["p/one"]["state"] == "open"
    house.clock.advance(10)
    house.answer()
    assert house.store.records.kinds[KIND]["p/one"]["state"] == "closed"


def test_while_nothing_opens_nothing_is_written() -> None:
    house = House()
    for _ in range(100):
        house.answer()
        house.answer()
        house.fail(times=1)
    assert house.store.records.writes == 0


def test_what_one_worker_opened_the_others_leave_alone_and_one_that_starts_later_too() -> None:
    house = House(2)
    house.fail()
    house.workers[1].sync()
    refusal(house.workers[1])
    refusal(house.worker("new"))


def test_a_reset_closes_everything_of_the_provider_on_every_worker() -> None:
    house = House(2)
    house.fail(ONE)
    house.fail(ELSEWHERE)
    house.clock.advance(1)
    house.workers[1].reset("p")
    house.workers[0].sync()
    for worker in house.workers:
        worker.admit(ONE).release()
        refusal(worker, ELSEWHERE)


def test_a_reset_that_the_others_cannot_be_told_of_says_so() -> None:
    house = House()
    house.store.records.away = True
    with pytest.raises(StoreUnavailable):
        house.only.reset("p")


def test_while_the_store_is_away_each_worker_goes_on_alone_and_tells_later() -> None:
    house = House(2)
    house.store.records.away = house.store.degraded = True
    house.fail()
    refusal(house.only)
    house.clock.advance(5)
    house.store.records.away = house.store.degraded = False
    house.only.sync()
    house.workers[1].sync()
    refusal(house.workers[1])


def test_while_the_store_is_away_a_half_open_circuit_is_probed_by_each_worker() -> None:
    house = House()
    house.fail()
    house.clock.advance(10)
    house.store.counters.lock = lambda *_: False  # type: ignore[method-assign] # as a home that is away says
    refusal(house.only)
    house.store.degraded = True
    probe = house.only.admit(ONE)
    refusal(house.only)
    probe.release()


def test_what_is_over_for_long_is_forgotten() -> None:
    house = House()
    house.fail()
    house.clock.advance(3700)
    house.only.sync()
    assert house.store.records.kinds[KIND] == {}
    assert house.only.models("p") == []


def test_made_up_names_do_not_fill_the_memory() -> None:
    house = House()
    for number in range(3000):
        house.fail(Target("p", f"made-up-{number}", INFO), times=1, error=UpstreamOverloaded("busy"))
    house.only.sync()
    assert len(house.only._circuits) <= 2000


def test_the_metric_tells_the_worst_of_a_provider() -> None:
    house = House()
    assert house.only.worst("p") == 0
    house.fail(error=UpstreamOverloaded("busy"))
    assert (house.only.worst("p"), house.only.worst("q")) == (2, 0)
    house.clock.advance(10)
    assert house.only.worst("p") == 1
