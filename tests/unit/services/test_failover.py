"""When a model is served by another, for how long, and who knows of it."""

import pytest
from structlog.testing import capture_logs

from config.settings import FailoverSettings
from core.errors import StoreUnavailable
from core.metrics import Metrics
from core.store.embedded import EmbeddedStore
from services.failover import FailoverService
from services.telemetry import Telemetry
from tests.fakes import FakeClock

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"


class House:
    """Two workers with one store."""

    def __init__(self, directory, **settings):  # type: ignore[no-untyped-def] # pytest's own path
        self.clock = FakeClock()
        self.store = EmbeddedStore(directory)
        self.settings = FailoverSettings(**{"enabled": True, **settings})
        self.metrics = Metrics()
        self.one, self.two = self.worker(), self.worker()

    def worker(self) -> FailoverService:
        telemetry = Telemetry(self.metrics, [OPUS, SONNET])
        return FailoverService(self.store.records, self.store.counters, self.settings, telemetry, self.clock)

    def metric(self, name: str) -> float | None:
        return self.metrics._registry.get_sample_value(name, {"model": OPUS})


@pytest.fixture
def house(tmp_path):  # type: ignore[no-untyped-def] # a House
    house = House(tmp_path)
    yield house
    house.store.close()


@pytest.mark.parametrize(
    ("losses", "moves"),
    [
        ([1.49], False),
        ([1.50], False),
        ([1.51], True),
        ([0.8, 0.7], False),
        ([0.8, 0.71], True),
        ([0.0, -5.0], False),
        ([0.5, 0.5, 0.5, 0.0001], True),
    ],
)
def test_a_model_moves_when_it_has_lost_more_than_the_threshold(house: House, losses: list[float], moves: bool) -> None:
    for loss in losses:
        house.one.lost(OPUS, loss)
    assert house.one.is_active(OPUS) is moves
    assert not house.one.is_active(SONNET)


def test_losses_are_summed_over_all_workers(house: House) -> None:
    house.one.lost(OPUS, 0.8)
    house.two.lost(OPUS, 0.8)
    assert house.two.is_active(OPUS)


def test_losses_of_another_window_do_not_count(house: House) -> None:
    house.one.lost(OPUS, 1.4)
    house.clock.advance(15 * 60)
    house.one.lost(OPUS, 1.4)
    assert not house.one.is_active(OPUS)


def test_it_ends_by_itself_and_may_begin_again(house: House) -> None:
    house.one.lost(OPUS, 2.0)
    until = house.one.until(OPUS)
    assert until == house.clock.now() + 15 * 60
    house.clock.advance(15 * 60 - 1)
    assert house.one.is_active(OPUS)
    house.clock.advance(1)
    assert not house.one.is_active(OPUS)
    house.one.sync()
    assert house.metric("glm_failover_active") == 0
    house.one.lost(OPUS, 1.0)
    assert not house.one.is_active(OPUS), "what led to the last one is settled"
    house.one.lost(OPUS, 0.6)
    assert house.one.is_active(OPUS)
    assert house.metric("glm_failover_activations_total") == 2


def test_all_workers_follow_and_so_does_one_that_starts_later(house: House) -> None:
    house.one.lost(OPUS, 2.0)
    house.two.sync()
    late = house.worker()
    late.sync()
    assert house.two.until(OPUS) == late.until(OPUS) == house.one.until(OPUS)
    assert house.metric("glm_failover_activations_total") == 1


def test_clearing_it_is_for_all_workers_too(house: House) -> None:
    house.one.lost(OPUS, 2.0)
    house.two.sync()
    assert house.two.clear(OPUS)
    assert not house.two.clear(OPUS)
    house.one.sync()
    assert not house.one.is_active(OPUS)
    house.two.sync()
    assert not house.two.is_active(OPUS)
    assert house.metric("glm_failover_active") == 0


def test_by_hand_it_moves_whether_or_not_losses_would_and_is_only_made_longer(house: House) -> None:
    house.one.activate(OPUS, 600)
    first = house.one.until(OPUS)
    house.one.activate(OPUS, 60)
    assert house.one.until(OPUS) == first
    house.one.activate(OPUS, 1200)
    assert house.one.until(OPUS) == house.clock.now() + 1200
    state = house.one.state(OPUS)
    assert (state.active, state.reason, state.stand_in) == (True, "manual", "glm-4.7")
    assert house.metric("glm_failover_activations_total") == 1


def test_a_model_without_a_stand_in_stays(house: House) -> None:
    house.one.lost("glm-4.7", 99)
    assert not house.one.is_active("glm-4.7")


def test_losses_go_on_being_seen_while_it_is_off(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's own path
    house = House(tmp_path, enabled=False)
    house.one.lost(OPUS, 99)
    assert not house.one.is_active(OPUS)
    assert [(state.model, state.loss_usd) for state in house.one.states()] == [(OPUS, 99)]
    house.store.close()


def test_a_worker_alone_decides_for_itself_and_tells_the_others_later(house: House) -> None:
    class Away:
        """Records that cannot be reached."""

        def put(self, *_: object) -> None:
            raise StoreUnavailable("away")

        all = change = put

    reachable = house.one._records
    house.one._records = Away()  # type: ignore[assignment] # the part that is used
    house.one.lost(OPUS, 2.0)
    assert house.one.is_active(OPUS)
    house.two.sync()
    assert not house.two.is_active(OPUS)
    house.one._records = reachable
    house.one.sync()
    house.two.sync()
    assert house.two.is_active(OPUS)


def test_what_stands_survives_the_process(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's own path
    before = House(tmp_path)
    before.one.lost(OPUS, 2.0)
    until = before.one.until(OPUS)
    before.store.close()
    after = House(tmp_path)
    after.one.sync()
    assert after.one.until(OPUS) == until
    after.store.close()


def test_a_worker_that_starts_later_knows_at_once_what_is_moved_and_what_is_settled(house: House) -> None:
    house.one.lost(OPUS, 2.0)
    assert house.worker().is_active(OPUS)
    house.clock.advance(15 * 60)
    late = house.worker()
    late.lost(OPUS, 0.8)
    house.one.lost(OPUS, 0.8)
    assert house.one.is_active(OPUS), "both count in the same window"
    assert house.one.state(OPUS).loss_usd == pytest.approx(1.6)


def test_what_was_lost_is_told_as_the_sum_of_the_window_over_all_workers(house: House) -> None:
    house.one.lost(OPUS, 0.5)
    house.two.lost(OPUS, 0.25)
    assert house.two.state(OPUS).loss_usd == pytest.approx(0.75)
    house.clock.advance(15 * 60)
    assert house.two.state(OPUS).loss_usd == 0
    house.two.lost(OPUS, 0.1)
    assert house.two.state(OPUS).loss_usd == pytest.approx(0.1)


def test_the_sum_goes_on_above_the_threshold_while_it_is_off(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's own path
    house = House(tmp_path, enabled=False)
    for _ in range(3):
        house.one.lost(OPUS, 2.0)
    assert house.one.state(OPUS).loss_usd == pytest.approx(6.0)
    house.store.close()


@pytest.mark.parametrize("seen", [True, False])
def test_what_led_to_a_move_is_told_no_more_once_that_is_over_by_whichever_worker(house: House, seen: bool) -> None:
    house.one.lost(OPUS, 0.8)
    house.two.lost(OPUS, 0.8)
    if seen:
        house.one.sync()
    house.two.clear(OPUS)
    house.one.sync()
    assert [worker.state(OPUS).loss_usd for worker in (house.one, house.two)] == [0.0, 0.0]
    house.one.lost(OPUS, 0.5)
    assert house.one.state(OPUS).loss_usd == 0.5


def test_an_order_that_the_others_cannot_be_told_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    house.one.activate(OPUS, 3600)
    with monkeypatch.context() as patch:
        patch.setattr(house.one, "_records", type("Away", (), {"change": away, "put": away, "all": away})())
        with pytest.raises(StoreUnavailable):
            house.one.clear(OPUS)
        with pytest.raises(StoreUnavailable):
            house.one.activate(SONNET, 60)
    for worker in (house.one, house.two):
        worker.sync()
        assert (worker.is_active(OPUS), worker.is_active(SONNET)) == (True, False)


@pytest.mark.parametrize(("by_hand", "why"), [(False, "cooldown"), (True, "manual")])
def test_that_it_is_over_is_logged_once_whoever_notices_first(house: House, by_hand: bool, why: str) -> None:
    house.one.lost(OPUS, 2.0)
    house.two.sync()
    with capture_logs() as logs:
        if by_hand:
            house.one.clear(OPUS)
        house.clock.advance(900)
        for worker in (house.two, house.one, house.worker()):
            worker.sync()
    assert [log["why"] for log in logs if log["event"] == "failover_ended"] == [why]
    assert house.metric("glm_failover_active") == 0


def test_workers_that_see_in_the_same_moment_that_it_is_too_much_move_it_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = house.two._share
    monkeypatch.setattr(house.two, "_share", lambda: None)  # it has not heard yet
    house.one.lost(OPUS, 2.0)
    house.two.lost(OPUS, 2.0)
    assert house.metric("glm_failover_activations_total") == 1
    monkeypatch.setattr(house.two, "_share", share)
    house.two.sync()
    assert house.two.is_active(OPUS)


def test_what_another_worker_moved_a_moment_ago_can_be_cleared(house: House) -> None:
    house.one.lost(OPUS, 2.0)
    assert house.two.clear(OPUS)
    house.one.sync()
    assert not house.one.is_active(OPUS)


def test_no_order_and_no_loss_shortens_what_another_worker_has_just_ordered(house: House) -> None:
    house.one.activate(OPUS, 3600)
    until = house.one.until(OPUS)
    house.clock.advance(0.5)
    assert house.two.activate(OPUS, 60).until == house.one.state(OPUS).until
    late = house.worker()
    late._moves.clear()  # it has not heard yet
    late.lost(OPUS, 2.0)
    for worker in (house.one, house.two, late):
        worker.sync()
        assert worker.until(OPUS) == until
    assert house.metric("glm_failover_activations_total") == 1


def test_it_is_known_of_which_models_there_is_something_to_tell(house: House) -> None:
    assert not house.one.knows(OPUS)
    house.one.lost(OPUS, 0.1)
    house.one.activate(SONNET, 60)
    assert (house.one.knows(OPUS), house.one.knows(SONNET)) == (True, True)


def test_no_model_stands_in_for_itself(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's own path
    house = House(tmp_path, models={"*": "glm-4.7"})
    assert (house.one.stand_in(OPUS), house.one.stand_in("glm-4.7")) == ("glm-4.7", None)
    house.one.lost("glm-4.7", 99)
    assert not house.one.is_active("glm-4.7")
    house.store.close()
