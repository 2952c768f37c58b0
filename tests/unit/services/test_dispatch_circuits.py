"""Targets that fail are passed over, retries are bounded by the traffic, and long prompts go where they fit."""

import pytest

from config.settings import CircuitSettings, RetrySettings
from core.cancel import Cancellation
from core.errors import (
    CannotCarry,
    CircuitOpen,
    ContextLengthExceeded,
    CredentialsExhausted,
    GatewayError,
    RateLimited,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from core.retry import RetryBudget
from core.signs import SignsOfLife
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.stream import KeepAlive
from services.run import Call, Run
from tests.unit.services import spending_kit
from tests.unit.services.chat_kit import ANSWER, INFO, FakePool, Script, Stage, chat_request
from tests.unit.services.test_second_tries import REFUSED, House

BROKEN = UpstreamServerError("no")
FAILS = Script([BROKEN])
TOUCHY = CircuitSettings(failures=1, open_seconds=10)


def failure(stage: Stage, targets: int = 2) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        list(stage.chunks(targets))
    return raised.value


def again(stage: Stage) -> None:
    """A new request to the same house."""
    now = stage.clock.monotonic()
    stage.cancel = Cancellation()
    call = Call(Origin("req-2", now), stage.cancel, SignsOfLife(10, now))
    stage.run = Run(chat_request(), call, Outcome("m", stream=False))


def test_a_target_whose_circuit_has_opened_is_not_asked_with_its_other_key() -> None:
    stage = Stage(FAILS, Script(), circuit=TOUCHY)
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a", "c"]
    (skipped,) = stage.run.outcome.passed_over
    assert (skipped.provider, skipped.model) == ("one", "m-one")


def test_the_next_request_goes_elsewhere_at_once() -> None:
    stage = Stage(FAILS, Script(), Script(), circuit=TOUCHY)
    list(stage.chunks())
    again(stage)
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a", "c", "c"]
    assert stage.errors == [None]


@pytest.mark.parametrize("why", ["no key", "circuit"])
def test_a_target_that_is_passed_over_takes_nothing_of_the_limit_it_shares_with_the_next(why: str) -> None:
    stage = Stage(Script(), circuit=TOUCHY, pool=FakePool("one", back_in=60) if why == "no key" else None)
    if why == "circuit":
        stage.circuits.admit(stage.targets[0], sole=False).failed(BROKEN)
    money = spending_kit.House({"models": {"m": {"requests_per_minute": 1}}}, clock=stage.clock)
    stage.run.hold = money.open()
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["c"]
    with pytest.raises(RateLimited):
        money.open().admit(stage.targets[1])


def test_when_all_are_left_alone_the_client_is_told_when_the_first_is_tried_again() -> None:
    stage = Stage(FAILS, FAILS, circuit=TOUCHY)
    assert failure(stage) is BROKEN
    again(stage)
    stage.clock.advance(4)
    error = failure(stage)
    assert isinstance(error, CircuitOpen)
    assert (error.status, error.code, error.retry_after) == (503, "circuit_open", 6)
    assert len(stage.tries) == 2


def test_a_real_failure_is_told_rather_than_that_another_target_was_left_alone() -> None:
    stage = Stage(FAILS, Script([UpstreamRateLimited("slow down")]), circuit=TOUCHY, pool=FakePool("one", "a"))
    assert isinstance(failure(stage), UpstreamRateLimited)


@pytest.mark.parametrize("back_in", [3, 30])
def test_the_soonest_of_a_circuit_and_of_a_credential_is_told(back_in: float) -> None:
    stage = Stage(FAILS, circuit=TOUCHY, other=FakePool("two", back_in=back_in))
    failure(stage)
    again(stage)
    error = failure(stage)
    assert isinstance(error, CircuitOpen | CredentialsExhausted)
    assert error.retry_after == min(back_in, 10)


def test_the_only_target_is_tried_as_if_there_were_no_circuit() -> None:
    stage = Stage(FAILS, FAILS, Script(), circuit=TOUCHY, pool=FakePool("one", "a"))
    assert tuple(stage.chunks(targets=1)) == ANSWER
    assert stage.tries == ["a", "a", "a"]


def test_content_closes_the_circuit_and_a_refused_key_leaves_it_as_it_is() -> None:
    stage = Stage(FAILS, Script(), Script([UpstreamUnauthorized("no")]), Script(), circuit=TOUCHY)
    list(stage.chunks())
    stage.clock.advance(10)
    again(stage)
    chunks = stage.chunks()
    next(chunks)
    assert stage.circuits.state("one") == "closed", "the second key was the probe, and brought content"
    assert stage.tries == ["a", "c", "a", "b"]


def test_a_failure_after_content_opens_nothing() -> None:
    stage = Stage(Script([*ANSWER[:1], BROKEN]), circuit=TOUCHY)
    failure(stage)
    assert stage.circuits.state("one/m-one") == "closed"


def test_a_client_that_leaves_lets_the_next_request_probe() -> None:
    stage = Stage(FAILS, Script(), Script(signs=3), Script(), circuit=TOUCHY)
    list(stage.chunks())
    stage.clock.advance(10)
    again(stage)
    chunks = stage.chunks()
    next(chunks)
    chunks.close()  # type: ignore[attr-defined] # a generator
    again(stage)
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries[-1] == "a"


# The budget


def test_without_a_budget_a_request_fails_with_its_first_failure() -> None:
    stage = Stage(FAILS, retry=RetrySettings(budget_min=0, budget_share=0))
    error = failure(stage)
    assert error is BROKEN
    assert (error.details or {})["retry_budget"] == "spent"
    assert stage.tries == ["a"]


def test_what_is_sent_once_more_without_what_was_refused_needs_no_budget() -> None:
    house = House(REFUSED, Script())
    house.dispatcher._budget = RetryBudget(0, 0, house.clock)
    assert tuple(house.chunks()) == ANSWER


def test_all_requests_share_one_budget() -> None:
    stage = Stage(*[FAILS] * 9, retry=RetrySettings(budget_min=2, budget_share=0))
    for _ in range(4):
        assert failure(stage) is BROKEN
        again(stage)
    assert len(stage.tries) == 4 + 2


@pytest.mark.parametrize("targets", [1, 2])
def test_a_try_that_others_took_while_this_one_asked_its_limits_is_not_made(
    monkeypatch: pytest.MonkeyPatch, targets: int
) -> None:
    stage = Stage(FAILS, FAILS, retry=RetrySettings(budget_min=1, budget_share=0))
    slept: list[float] = []
    monkeypatch.setattr("services.dispatch.pause", lambda seconds, _: slept.append(seconds))
    monkeypatch.setattr(stage.run.hold, "admit", lambda _: stage.tries and stage.dispatcher._budget.take())
    with pytest.raises(UpstreamServerError) as raised:
        list(stage.chunks(targets))
    assert (raised.value.details or {})["retry_budget"] == "spent"
    assert stage.tries == ["a"]
    assert all(lease.ends for pool in (stage.pool, stage.other) for lease in pool.leases)
    assert slept == [], "nobody waits for what will not be tried"


# Waiting for the same key


def test_a_provider_that_says_how_long_to_wait_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(Script([UpstreamServerError("no", retry_after=7)]), Script(), pool=FakePool("one", "a"))
    monkeypatch.setattr("services.dispatch.pause", lambda seconds, _: stage.clock.advance(seconds))
    began = stage.clock.monotonic()
    assert tuple(chunk for chunk in stage.chunks(targets=1) if chunk != KeepAlive()) == ANSWER
    assert stage.clock.monotonic() - began == pytest.approx(7)


def test_a_wait_that_is_too_long_is_left_to_the_client() -> None:
    stage = Stage(Script([UpstreamServerError("no", retry_after=11)]), pool=FakePool("one", "a"))
    assert failure(stage, targets=1).retry_after == 11
    assert stage.tries == ["a"]


# Long prompts and strict routes


def test_a_prompt_that_the_provider_finds_too_long_goes_to_the_target_for_long_ones() -> None:
    stage = Stage(Script([ContextLengthExceeded("too long")]), Script())
    stage.run.longer = (Target("two", "m-long", INFO),)
    assert tuple(stage.chunks(targets=1)) == ANSWER
    assert (stage.run.outcome.provider, stage.run.outcome.upstream_model) == ("two", "m-long")


def test_without_one_the_client_is_told() -> None:
    stage = Stage(Script([ContextLengthExceeded("too long")]))
    assert isinstance(failure(stage), ContextLengthExceeded)
    assert stage.tries == ["a"]


def test_too_long_for_that_too_is_the_answer() -> None:
    stage = Stage(Script([ContextLengthExceeded("too long")]), Script([ContextLengthExceeded("still too long")]))
    stage.run.longer = (Target("two", "m-long", INFO),)
    with pytest.raises(ContextLengthExceeded, match="still"):
        list(stage.chunks(targets=1))


def test_a_strict_route_refuses_what_would_be_left_out() -> None:
    stage = Stage()
    stage.run.strict = True
    error = failure(stage)
    assert isinstance(error, CannotCarry)
    assert (error.status, error.param) == (400, "seed")
    assert stage.transport.exchanges == []
