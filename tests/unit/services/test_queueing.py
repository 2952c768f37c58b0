"""Requests that wait for a key's turn, from the dispatcher on; and what the dispatcher tells a pool."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from config.settings import QueueSettings, TokenSettings
from core.cancel import Cancellation
from core.credentials.fair_queue import FairQueue
from core.credentials.ground import Ground, Manner
from core.credentials.lease import Lease
from core.credentials.pool import CredentialPool
from core.errors import (
    ClientGone,
    CredentialsExhausted,
    GatewayError,
    SlotsBusy,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
)
from core.signs import SignsOfLife
from core.store.memory import MemoryCounters
from schemas.credential import Credential
from schemas.limit import Capacity, LimitReading
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.stream import ChatChunk, KeepAlive
from services import queueing
from services.run import Call, Run
from tests.fakes import FakeClock
from tests.unit.core.credentials_kit import DictRecords
from tests.unit.services.chat_kit import ANSWER, FakePool, Script, Stage, chat_request

ASKED = 10
"""How many answers the provider has ready."""


class Hall:
    """A provider with the keys of a real pool; `meanwhile` is what happens in the pauses, one thing in each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *keys: Credential, queue: QueueSettings | None = None) -> None:
        self.clock = FakeClock()
        self.waits: list[float] = []
        self.lengths: list[int] = []
        self.pool = CredentialPool(
            "one",
            keys or [Credential("one", "a", slots=1)],
            Ground(DictRecords(), MemoryCounters(), TokenSettings(), self.clock, "worker", Random(1)),
            Manner(queue=FairQueue(queue or QueueSettings(), self.clock, self.lengths.append, self.waits.append)),
        )
        self.stage = Stage(*[Script()] * ASKED, pool=self.pool, clock=self.clock)  # type: ignore[arg-type] # the real one
        self.meanwhile: list[Callable[[], object]] = []
        monkeypatch.setattr(queueing, "pause", self._pause)

    def hold(self) -> Lease:
        """A request of somebody else's that runs."""
        return self.pool.lease()

    def run(self, tenant: str = "anna", cancel: Cancellation | None = None, signs: float = 10) -> Run:
        now = self.clock.monotonic()
        call = Call(Origin("req-1", now, tenant), cancel or Cancellation(), SignsOfLife(signs, now))
        return Run(chat_request(), call, Outcome("m", stream=False))

    def ask(self, run: Run, targets: int = 1) -> list[ChatChunk]:
        """The chunks of the answer; the lease is given back."""
        chunks = list(self.stage.dispatcher.chunks(run, self.stage.targets[:targets]))
        assert run.lease is not None
        run.lease.succeed(None, 1, None)
        return chunks

    def _pause(self, seconds: float, cancel: Cancellation) -> None:
        assert 0 < seconds <= 0.25
        self.clock.advance(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        cancel.begin_wait()
        cancel.end_wait()


def nothing() -> None:
    """Nothing happens."""


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Hall:
    return Hall(monkeypatch)


def test_a_request_waits_for_the_slot_and_is_answered(hall: Hall) -> None:
    lease = hall.hold()
    hall.meanwhile = [nothing, nothing, lease.abandon]
    run = hall.run()
    assert tuple(hall.ask(run)) == ANSWER
    assert run.outcome.queue_seconds == pytest.approx(0.3)
    assert hall.waits == [pytest.approx(0.3)]
    assert hall.lengths == [1, 0]
    assert run.outcome.upstream_seconds == 0, "waiting is not the provider's time"


def test_a_request_that_need_not_wait_was_never_in_the_queue(hall: Hall) -> None:
    assert tuple(hall.ask(hall.run())) == ANSWER
    assert (hall.waits, hall.lengths) == ([], [])


def test_who_waits_is_shown_signs_of_life(hall: Hall) -> None:
    lease = hall.hold()
    hall.meanwhile = [*[nothing] * 250, lease.abandon]
    chunks = hall.ask(hall.run())
    assert chunks == [KeepAlive(), KeepAlive(), *ANSWER]


def test_the_wait_is_bounded(hall: Hall) -> None:
    hall.hold()
    run = hall.run()
    with pytest.raises(SlotsBusy) as caught:
        hall.ask(run)
    assert 30 <= run.outcome.queue_seconds < 31
    assert caught.value.status == 429
    assert caught.value.retry_after is not None
    assert hall.waits == [], "nobody was served"
    assert len(hall.pool.queue) == 0


def test_after_the_wait_the_next_target_is_asked(hall: Hall) -> None:
    hall.hold()
    run = hall.run()
    chunks = hall.ask(run, targets=2)
    assert tuple(chunks[-3:]) == ANSWER
    assert run.outcome.provider == "two"


def test_no_request_waits_longer_than_it_may_try(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch, queue=QueueSettings(max_wait=1000))
    hall.hold()
    run = hall.run()
    with pytest.raises(SlotsBusy):
        hall.ask(run)
    assert run.outcome.queue_seconds == pytest.approx(300, abs=1)


@pytest.mark.parametrize("queue", [QueueSettings(max_wait=0), QueueSettings(max_waiting=0)])
def test_a_queue_that_is_turned_off_refuses_at_once(monkeypatch: pytest.MonkeyPatch, queue: QueueSettings) -> None:
    hall = Hall(monkeypatch, queue=queue)
    hall.hold()
    run = hall.run()
    with pytest.raises(SlotsBusy):
        hall.ask(run)
    assert run.outcome.queue_seconds == 0


def test_a_full_queue_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch, queue=QueueSettings(max_waiting=1))
    hall.hold()
    refused: list[float] = []

    def one_more() -> None:
        other = hall.run("bert")
        with pytest.raises(SlotsBusy):
            hall.ask(other)
        refused.append(other.outcome.queue_seconds)

    hall.meanwhile = [one_more]
    with pytest.raises(SlotsBusy):
        hall.ask(hall.run())
    assert refused == [0]


def test_a_client_that_leaves_leaves_the_queue(hall: Hall) -> None:
    hall.hold()
    cancel = Cancellation()
    hall.meanwhile = [nothing, lambda: cancel.cancel(ClientGone("gone"))]
    with pytest.raises(ClientGone):
        hall.ask(hall.run(cancel=cancel))
    assert len(hall.pool.queue) == 0


def test_a_stream_that_is_closed_while_it_waits_leaves_the_queue(hall: Hall) -> None:
    hall.hold()
    chunks: Any = hall.stage.dispatcher.chunks(hall.run(), hall.stage.targets[:1])
    assert next(chunks) == KeepAlive()
    chunks.close()
    assert len(hall.pool.queue) == 0


def test_callers_take_turns(hall: Hall) -> None:
    lease = hall.hold()
    order: list[str] = []

    def waiting(tenant: str) -> Any:
        """A request that has begun to wait, as a generator that stops at every sign of life."""
        chunks = hall.stage.dispatcher.chunks(run := hall.run(tenant, signs=0.01), hall.stage.targets[:1])
        assert next(chunks) == KeepAlive()
        return tenant, run, chunks

    line = [waiting(tenant) for tenant in ("anna", "anna", "anna", "bert")]
    lease.abandon()
    while line:
        for one in list(line):
            tenant, run, chunks = one
            if next(chunks) != KeepAlive():
                list(chunks)
                run.lease.abandon()
                order.append(tenant)
                line.remove(one)
    assert order == ["anna", "bert", "anna", "anna"]


def test_a_key_with_a_free_slot_is_used_rather_than_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch, Credential("one", "a", slots=1), Credential("one", "b", slots=1))
    held = hall.hold()
    run = hall.run()
    run.prefer = held.credential.id
    hall.ask(run)
    assert hall.waits == []
    assert run.outcome.credential not in (None, held.credential.id)


def test_the_key_that_is_preferred_is_used_while_it_is_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Credential("one", secret) for secret in "abc"]
    hall = Hall(monkeypatch, *keys)
    for _ in range(3):
        run = hall.run()
        run.prefer = keys[1].id
        hall.ask(run)
        assert run.outcome.credential == keys[1].id


# What a pool is told


def test_the_limits_that_an_answer_tells_are_learned_whatever_the_answer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(Script(status=429), Script())
    seen = (LimitReading("requests", 10, 3, 60.0),)

    def limits(headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
        assert headers["content-type"] == "text/event-stream"
        return seen

    monkeypatch.setattr(stage.one, "limits", limits)
    assert tuple(stage.chunks(1)) == ANSWER
    assert stage.pool.learned == [(one.id, seen, "m-one") for one in stage.pool.credentials]
    assert stage.run.outcome.capacity == Capacity(2)


def test_a_pool_is_told_the_model_and_the_length_of_the_prompt() -> None:
    stage = Stage(Script())
    list(stage.chunks(1))
    (need,) = stage.pool.needs
    assert need["model"] == "m-one"
    assert 0 < need["tokens"] < 20
    pool = FakePool("one", "a")
    pool.limited = False
    stage = Stage(Script(), pool=pool)
    list(stage.chunks(1))
    assert pool.needs[0]["tokens"] == 0, "nothing is counted where nobody asks"


def hall_of_accounts(monkeypatch: pytest.MonkeyPatch, error: GatewayError) -> Stage:
    keys = [Credential("one", secret, account="x") for secret in "ab"] + [Credential("one", "c")]
    hall = Hall(monkeypatch, *keys)
    return Stage(Script([error]), Script([error]), pool=hall.pool, clock=hall.clock)  # type: ignore[arg-type] # the real one


@pytest.mark.parametrize(
    "error", [UpstreamQuotaExhausted("no"), UpstreamQuotaExhausted("no", code="usage_limit_reached", retry_after=60)]
)
def test_keys_of_one_account_are_not_tried_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, error: GatewayError
) -> None:
    stage = hall_of_accounts(monkeypatch, error)
    with pytest.raises((CredentialsExhausted, UpstreamQuotaExhausted)):
        list(stage.chunks(1))
    assert stage.tries == ["a", "c"]


def test_what_is_left_is_told_when_no_key_could_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch, Credential("one", "a"))
    hall.hold().fail(UpstreamRateLimited("slow", retry_after=9), 1)
    run = hall.run()
    with pytest.raises(CredentialsExhausted) as caught:
        hall.ask(run)
    assert caught.value.retry_after == 9
    assert run.outcome.capacity == Capacity(0)


@pytest.mark.parametrize("error", [UpstreamRateLimited("slow", retry_after=9), UpstreamQuotaExhausted("empty")])
def test_a_key_that_has_just_been_refused_is_not_among_those_that_are_left(
    monkeypatch: pytest.MonkeyPatch, error: GatewayError
) -> None:
    hall = Hall(monkeypatch, Credential("one", "a"), Credential("one", "b"))
    stage = Stage(Script([error]), pool=hall.pool, clock=hall.clock, max_attempts=1)  # type: ignore[arg-type] # the real one
    with pytest.raises(GatewayError):
        list(stage.chunks(1))
    assert (stage.tries, stage.run.outcome.capacity) == (["a"], Capacity(1))
