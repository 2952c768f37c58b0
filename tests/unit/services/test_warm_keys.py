"""The key that has a conversation's prompt cached, when it fails for a moment."""

import pytest

from config.settings import CircuitSettings, RetrySettings
from core.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from schemas.model import Target
from schemas.stream import KeepAlive
from tests.unit.services.chat_kit import ANSWER, INFO, Script, Stage

DROPPED = UpstreamUnreachable("it broke")


@pytest.fixture(autouse=True)
def _waits_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.dispatch.pause", lambda seconds, cancel: WAITED.append(seconds))
    WAITED.clear()


WAITED: list[float] = []


def at_home(*scripts: Script, key: int = 0, retry: RetrySettings | None = None) -> Stage:
    """A request whose conversation is warm at that key of the first provider."""
    stage = Stage(*scripts, retry=retry or RetrySettings(max_attempts=5))
    stage.run.prefer = stage.pool.credentials[key].id
    return stage


def tries(stage: Stage, targets: int = 2) -> str:
    assert tuple(chunk for chunk in stage.chunks(targets) if chunk != KeepAlive()) == ANSWER
    return "".join(stage.tries)


@pytest.mark.parametrize(
    "error",
    [
        DROPPED,
        UpstreamServerError("no"),
        UpstreamBroken("no"),
        UpstreamOverloaded("busy"),
        UpstreamRateLimited("slow", retry_after=2),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("targets", [1, 2])
def test_what_may_be_over_in_a_moment_is_tried_once_more_where_the_cache_is(error: GatewayError, targets: int) -> None:
    stage = at_home(Script([error]), Script())
    assert tries(stage, targets) == "aa"
    assert sum(WAITED) == (error.retry_after or 0)


def test_once_and_then_the_conversation_moves() -> None:
    assert tries(at_home(Script([DROPPED]), Script([UpstreamServerError("no")]), Script())) == "aab"


@pytest.mark.parametrize(
    ("error", "moves"),
    [
        (UpstreamRateLimited("slow", retry_after=60), "b"),
        (UpstreamQuotaExhausted("empty"), "b"),
        (UpstreamUnauthorized("no"), "b"),
        (UpstreamTimeout("silent"), "c"),
    ],
    ids=lambda error: type(error).__name__ if isinstance(error, GatewayError) else error,
)
def test_what_takes_long_or_does_not_pass_moves_it_at_once(error: GatewayError, moves: str) -> None:
    assert tries(at_home(Script([error]), Script())) == f"a{moves}"
    assert WAITED == []


def test_a_failure_that_took_long_to_come_moves_it_at_once() -> None:
    assert tries(at_home(Script(refused=DROPPED, seconds=10), Script())) == "ac"


def test_the_pool_says_when_the_key_is_free_where_the_provider_does_not() -> None:
    slow = Script([UpstreamRateLimited("slow")])
    stage = at_home(slow, Script())
    stage.pool.opens = 1.5
    assert tries(stage) == "aa"
    assert sum(WAITED) == 1.5
    stage = at_home(slow, Script())
    stage.pool.opens = 30
    assert tries(stage) == "ab"


def test_a_key_that_has_nothing_cached_is_no_better_than_another() -> None:
    assert tries(at_home(Script([UpstreamServerError("no")]), Script(), key=1)) == "ab"


def test_it_is_within_the_one_budget_and_the_number_of_tries() -> None:
    stage = at_home(Script([DROPPED]), retry=RetrySettings(budget_min=0, budget_share=0))
    with pytest.raises(UpstreamUnreachable):
        list(stage.chunks())
    assert (stage.tries, WAITED) == (["a"], [])
    stage = at_home(Script([DROPPED]), Script(), retry=RetrySettings(max_attempts=2))
    assert tries(stage) == "ac", "the last try is left for the other target"


def test_that_try_goes_before_all_other_targets_but_one() -> None:
    stage = at_home(Script([DROPPED]), Script([DROPPED]), Script(), retry=RetrySettings())
    stage.targets = (*stage.targets, Target("two", "m-three", INFO), Target("two", "m-four", INFO))
    assert tries(stage, 4) == "aac"
    assert stage.run.outcome.upstream_model == "m-two"


def test_it_may_be_turned_off() -> None:
    assert tries(at_home(Script([UpstreamServerError("no")]), Script(), retry=RetrySettings(warm_wait=0))) == "ab"


def test_a_circuit_that_has_opened_meanwhile_moves_it() -> None:
    stage = Stage(Script([DROPPED]), Script(), circuit=CircuitSettings(failures=1))
    stage.run.prefer = stage.pool.credentials[0].id
    assert tries(stage) == "ac"
