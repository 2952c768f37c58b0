"""One request over credentials and targets until one of them begins to answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from config.settings import RetrySettings
from core.errors import (
    BodyTooLarge,
    CannotCarry,
    ClientGone,
    ContentRefused,
    CredentialsExhausted,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NoCredentials,
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from core.exchange import Patience
from schemas.model import Target
from schemas.stream import Finished, KeepAlive, ReasoningDelta, ToolCallDelta
from tests.unit.services.chat_kit import ANSWER, HELLO, INFO, FakeLease, FakePool, Script, Stage

BROKEN = UpstreamServerError("no")
FAILS = Script([BROKEN])


def failure(stage: Stage, targets: int = 2) -> GatewayError:
    """What is raised in the end."""
    with pytest.raises(GatewayError) as raised:
        list(stage.chunks(targets))
    return raised.value


# An answer


def test_the_first_target_that_answers_is_the_answer() -> None:
    stage = Stage(Script())
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a"]
    assert stage.errors == [None]
    outcome = stage.run.outcome
    assert (outcome.provider, outcome.upstream_model, outcome.credential) == (
        "one",
        "m-one",
        stage.pool.credentials[0].id,
    )
    assert outcome.dropped == ("seed",)


def test_the_lease_of_the_answer_stays_with_the_run() -> None:
    stage = Stage(Script())
    list(stage.chunks())
    assert stage.run.lease is stage.pool.leases[0]
    assert stage.pool.leases[0].ends == [], "whoever closes the stream gives it back"


def test_a_finished_answer_is_drained_and_closed() -> None:
    stage = Stage(Script())
    list(stage.chunks())
    (exchange,) = stage.transport.exchanges
    assert exchange.drained
    assert exchange.closed == 1


def test_signs_of_life_are_passed_on_before_and_after_the_headers() -> None:
    stage = Stage(Script([KeepAlive(), *ANSWER], signs=2))
    assert list(stage.chunks()) == [KeepAlive(), KeepAlive(), KeepAlive(), *ANSWER]


def test_each_try_has_an_id_of_its_own_that_begins_with_the_requests() -> None:
    stage = Stage(FAILS, Script())
    list(stage.chunks())
    ids = [request.headers["X-Request-ID"] for request in stage.transport.requests]
    assert len(set(ids)) == 2
    assert all(one.startswith("req-1-") and len(one) <= 64 for one in ids)


def test_patience_is_the_settings_with_the_deadline_counted_from_the_requests_arrival() -> None:
    stage = Stage(Script(seconds=5))
    began = stage.clock.monotonic()
    list(stage.chunks())
    patience = stage.transport.patience
    assert patience == Patience(10, 60, 10, began + 1800, content_by=began + 60, signs=stage.run.call.signs)


def test_the_time_to_the_first_content_is_counted_from_the_requests_arrival() -> None:
    stage = Stage(Script([BROKEN], seconds=2), Script([KeepAlive(), *ANSWER], seconds=3))
    list(stage.chunks())
    assert stage.run.outcome.time_to_first_token == pytest.approx(5)
    assert stage.run.outcome.upstream_seconds == pytest.approx(5)
    assert [attempt.seconds for attempt in stage.run.outcome.attempts] == pytest.approx([2, 3])


# The next try


@pytest.mark.parametrize(
    "error",
    [
        UpstreamUnauthorized("no"),
        UpstreamForbidden("no"),
        UpstreamRateLimited("no"),
        UpstreamQuotaExhausted("no"),
        UpstreamServerError("no"),
        UpstreamBroken("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_leads_to_the_next_credential_then_to_the_next_target(error: GatewayError) -> None:
    stage = Stage(Script([error]), Script(refused=error), Script())
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a", "b", "c"]
    assert stage.errors == [error.code, error.code, None]
    assert stage.run.outcome.provider == "two"
    assert stage.pool.ends == ["failed", "failed"]
    assert stage.all_closed()


@pytest.mark.parametrize(
    "error",
    [UpstreamOverloaded("no"), ModelNotFound("no"), UpstreamTimeout("no"), UpstreamUnreachable("no")],
    ids=lambda error: type(error).__name__,
)
def test_what_another_credential_cannot_mend_leads_to_the_next_target_at_once(error: GatewayError) -> None:
    stage = Stage(Script([error]), Script())
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a", "c"]


@pytest.mark.parametrize(
    "error",
    [InvalidRequest("no"), ContentRefused("no"), BodyTooLarge("no")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_wrong_with_the_request_is_wrong_everywhere(error: GatewayError) -> None:
    stage = Stage(Script([error]))
    assert failure(stage) is error
    assert stage.pool.ends == ["failed"]


def test_a_failure_that_says_so_does_not_lead_elsewhere() -> None:
    error = UpstreamForbidden("a human is wanted")
    error.failover = False
    stage = Stage(Script([error]))
    assert failure(stage) is error


def test_a_status_is_an_error_as_the_provider_reads_it() -> None:
    stage = Stage(Script(status=401), Script(status=500), Script())
    assert tuple(stage.chunks()) == ANSWER
    assert stage.errors == ["upstream_unauthorized", "upstream_server_error", None]


def test_a_request_that_cannot_be_built_is_refused_before_anything_is_sent() -> None:
    stage = Stage()
    stage.one.refusal = InvalidRequest("n must be 1", param="n")
    assert failure(stage).param == "n"
    assert stage.transport.requests == []
    assert stage.pool.ends == ["declined"]


@pytest.mark.parametrize("reason", ["stop", "tool_calls"])
def test_an_empty_answer_is_a_failure(reason: str) -> None:
    stage = Stage(Script([KeepAlive(), Finished(reason)]), Script())  # type: ignore[arg-type] # one of the two above
    assert list(stage.chunks()) == [KeepAlive(), *ANSWER]
    assert stage.errors == ["upstream_empty_answer", None]
    assert stage.pool.leases[0].ends[0][0] == "failed"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_may_be_cut_off_before_its_first_word(reason: str) -> None:
    end = Finished(reason)  # type: ignore[arg-type] # one of the two above
    stage = Stage(Script([end]))
    assert list(stage.chunks()) == [end]
    assert stage.run.finished


@pytest.mark.parametrize(
    "chunk", [HELLO, ReasoningDelta("hm"), ReasoningDelta("hm", hidden=True), ToolCallDelta(0, "i", "f")]
)
def test_after_the_first_content_there_is_no_second_try(chunk: object) -> None:
    stage = Stage(Script([chunk, BROKEN]))  # type: ignore[list-item] # chunks all of them
    seen = []
    with pytest.raises(UpstreamServerError) as raised:
        seen.extend(stage.chunks())
    assert seen == [chunk]
    assert raised.value is BROKEN
    assert stage.tries == ["a"]
    assert stage.pool.ends == ["failed"]
    assert stage.run.lease is None


def test_signs_of_life_do_not_rule_out_a_second_try() -> None:
    stage = Stage(Script([KeepAlive(), BROKEN], signs=3), Script())
    assert list(stage.chunks())[-3:] == list(ANSWER)
    assert stage.errors == ["upstream_server_error", None]


# The same credential again


@pytest.mark.parametrize("error", [UpstreamUnreachable("no"), UpstreamServerError("no"), UpstreamBroken("no")])
def test_the_only_credential_is_tried_again_after_what_may_pass_by_itself(error: GatewayError) -> None:
    stage = Stage(Script([error]), Script([error]), Script(), pool=FakePool("one", "a"))
    assert tuple(stage.chunks(targets=1)) == ANSWER
    assert stage.tries == ["a", "a", "a"]


@pytest.mark.parametrize(
    "error", [UpstreamRateLimited("no"), UpstreamUnauthorized("no"), UpstreamTimeout("no"), UpstreamForbidden("no")]
)
def test_the_only_credential_is_not_tried_again_after_anything_else(error: GatewayError) -> None:
    stage = Stage(Script([error]), pool=FakePool("one", "a"))
    assert failure(stage, targets=1) is error
    assert stage.tries == ["a"]


def test_another_target_goes_before_the_same_credential_again() -> None:
    stage = Stage(FAILS, FAILS, Script(), pool=FakePool("one", "a"))
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a", "c", "c"]


def test_a_client_that_leaves_between_two_tries_ends_them() -> None:
    stage = Stage(FAILS, Script(), pool=FakePool("one", "a"))
    chunks = stage.chunks(targets=1)
    stage.cancel.cancel(ClientGone("gone"))
    with pytest.raises(ClientGone):
        list(chunks)
    assert stage.tries == ["a"]
    assert stage.pool.ends == ["failed"]


# Bounds


def test_tries_are_bounded_by_number_over_all_targets() -> None:
    stage = Stage(FAILS, FAILS, FAILS, max_attempts=3, other=FakePool("two", "c", "d"))
    assert failure(stage) is BROKEN
    assert stage.tries == ["a", "b", "c"]
    assert stage.pool.ends + stage.other.ends == ["failed"] * 3


def test_tries_are_bounded_by_time() -> None:
    stage = Stage(Script([BROKEN], seconds=50), Script([BROKEN], seconds=50), total_seconds=100)
    assert failure(stage) is BROKEN
    assert stage.tries == ["a", "b"]


def test_one_credential_that_keeps_failing_is_not_tried_for_ever() -> None:
    stage = Stage(*[FAILS] * 5, pool=FakePool("one", "a"))
    assert failure(stage, targets=1) is BROKEN
    assert stage.tries == ["a"] * 5


# Nothing answered


def test_the_last_failure_is_told_with_all_that_was_tried() -> None:
    last = UpstreamTimeout("too long", details={"window": "minute"})
    stage = Stage(FAILS, Script(status=401), Script([last]))
    error = failure(stage)
    assert error is last
    assert error.details == {
        "window": "minute",
        "tried": [
            {"provider": "one", "model": "m-one", "error": "upstream_server_error"},
            {"provider": "one", "model": "m-one", "error": "upstream_unauthorized"},
            {"provider": "two", "model": "m-two", "error": "upstream_timeout"},
        ],
    }


def test_without_a_credential_the_reason_is_told() -> None:
    error = failure(Stage(pool=FakePool("one"), other=FakePool("two")))
    assert isinstance(error, NoCredentials)
    assert error.details is None


@pytest.mark.parametrize("waits", [(60, 5), (5, 60), (None, 5), (5, None)])
def test_when_all_cool_down_the_soonest_return_is_told(waits: tuple[float | None, float | None]) -> None:
    one, two = waits
    error = failure(Stage(pool=FakePool("one", back_in=one), other=FakePool("two", back_in=two)))
    assert isinstance(error, CredentialsExhausted)
    assert error.retry_after == 5


def test_a_limit_of_a_provider_is_told_with_the_time_the_pool_knows() -> None:
    stage = Stage(Script([UpstreamRateLimited("slow down")]), pool=FakePool("one", "a", back_in=7))
    error = failure(stage, targets=1)
    assert isinstance(error, UpstreamRateLimited)
    assert error.retry_after == 7


def test_the_soonest_of_two_times_is_told() -> None:
    stage = Stage(Script([UpstreamRateLimited("slow down", retry_after=60)]), pool=FakePool("one", "a", back_in=7))
    assert failure(stage, targets=1).retry_after == 7


@pytest.mark.parametrize(
    ("first", "second", "told"), [(0.0, None, 0.0), (40.0, None, 40.0), (40.0, 3.0, 3.0), (None, 3.0, 3.0)]
)
def test_the_keys_that_were_not_tried_are_asked_for_their_time(
    first: float | None, second: float | None, told: float
) -> None:
    slow = Script([UpstreamRateLimited("slow down", retry_after=600)])
    stage = Stage(slow, slow, max_attempts=2, pool=FakePool("one", "a", "b"))
    stage.pool.opens, stage.other.opens = first, second
    error = failure(stage)
    assert (error.retry_after, (error.details or {})["until"]) == (
        told,
        datetime.fromtimestamp(stage.clock.now() + told, UTC).isoformat(timespec="seconds"),
    )


def test_another_failure_is_told_without_a_time() -> None:
    stage = Stage(Script([UpstreamTimeout("too long")]), pool=FakePool("one", "a", back_in=7))
    assert failure(stage, targets=1).retry_after is None


def test_a_request_that_came_too_late_is_answered_all_the_same() -> None:
    stage = Stage(total_seconds=1)
    stage.clock.advance(2)
    assert isinstance(failure(stage), NoCredentials)


# Whatever happens, every lease is given back once


def test_a_generator_that_was_never_started_has_no_lease() -> None:
    stage = Stage(Script())
    stage.chunks().close()  # type: ignore[attr-defined] # a generator
    assert stage.pool.leases == []
    assert stage.run.lease is None


@pytest.mark.parametrize(
    ("read", "error"), [(1, "client_closed_request"), (2, "client_closed_request"), (3, None), (5, None)]
)
def test_a_client_that_leaves_closes_the_exchange_and_leaves_the_lease_to_the_run(read: int, error: str | None) -> None:
    stage = Stage(Script([KeepAlive(), *ANSWER], signs=1))
    chunks = stage.chunks()
    for _ in range(read):
        next(chunks)
    chunks.close()  # type: ignore[attr-defined] # a generator
    assert stage.all_closed()
    assert stage.run.lease is stage.pool.leases[0]
    assert stage.pool.leases[0].ends == []
    assert stage.errors == [error], "a try that led to no content is not a success"
    assert stage.transport.exchanges[0].drained == (read == 5)


def test_a_client_that_is_gone_while_the_provider_is_waited_for_fails_the_try() -> None:
    gone = ClientGone("gone")
    stage = Stage(Script([KeepAlive(), gone]))
    assert failure(stage) is gone
    assert stage.tries == ["a"]
    assert stage.pool.ends == ["failed"]
    assert stage.errors == ["client_closed_request"]


@pytest.mark.parametrize("before", [[], [HELLO]])
def test_a_bug_in_a_provider_is_not_a_success_and_is_not_tried_again(before: list[object]) -> None:
    stage = Stage(Script([*before, KeyError("choices")]))  # type: ignore[list-item] # chunks
    with pytest.raises(KeyError):
        list(stage.chunks())
    assert stage.all_closed()
    assert stage.errors == ["internal_error"]
    assert stage.run.lease is stage.pool.leases[0], "whoever closes the stream gives it back"


def test_many_keys_leave_a_try_for_each_target_behind_them() -> None:
    broken = [Script(refused=UpstreamServerError("no")) for _ in range(2)]
    stage = Stage(*broken, Script(), pool=FakePool("one", *"abdef"), max_attempts=3)
    assert tuple(stage.chunks()) == ANSWER
    assert stage.tries == ["a", "b", "c"]
    assert stage.run.outcome.provider == "two"


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (UpstreamRateLimited("no", retry_after=60), "ab"),
        (UpstreamQuotaExhausted("no"), "ab"),
        (UpstreamUnauthorized("no"), "ab"),
        (UpstreamServerError("no"), "ac"),
    ],
    ids=lambda error: type(error).__name__ if isinstance(error, GatewayError) else error,
)
def test_what_is_wrong_with_one_key_leads_to_another_ahead_of_many_targets(error: GatewayError, tries: str) -> None:
    stage = Stage(Script(refused=error), Script(), max_attempts=3)
    stage.targets = (*stage.targets, Target("two", "m-three", INFO), Target("two", "m-four", INFO))
    assert tuple(stage.chunks(4)) == ANSWER
    assert "".join(stage.tries) == tries


def test_keys_that_are_all_refused_leave_a_try_for_another_target() -> None:
    limited = [Script(refused=UpstreamRateLimited("no", retry_after=60)) for _ in range(2)]
    stage = Stage(*limited, Script(), pool=FakePool("one", *"abdef"), max_attempts=3)
    stage.targets = (*stage.targets, Target("two", "m-three", INFO))
    assert tuple(stage.chunks(3)) == ANSWER
    assert "".join(stage.tries) == "abc"


def test_the_soonest_time_of_all_targets_is_told() -> None:
    errors = [UpstreamRateLimited("no", retry_after=5), UpstreamRateLimited("no", retry_after=600)]
    run_of = Stage(*(Script(refused=error) for error in errors), pool=FakePool("one", "a"), max_attempts=2)
    with pytest.raises(UpstreamRateLimited) as refused:
        list(run_of.chunks())
    assert refused.value.retry_after == 5


class LastChance(FakePool):
    """With its second lease another request makes the last try that the budget has."""

    stage: Stage

    def lease(self, exclude: frozenset[str] = frozenset(), **need: Any) -> FakeLease:
        lease = super().lease(exclude, **need)
        if len(self.leases) == 2:
            assert self.stage.dispatcher._budget.take()
        return lease


def test_a_key_that_is_not_asked_as_the_budget_is_spent_is_as_it_was() -> None:
    pool = LastChance("one", "a", "b")
    stage = pool.stage = Stage(FAILS, pool=pool, retry=RetrySettings(max_attempts=5, budget_min=1, budget_share=0))
    assert failure(stage, targets=1) is BROKEN
    assert (stage.tries, pool.ends) == (["a"], ["failed", "declined"])
    assert BROKEN.details is not None
    assert BROKEN.details["retry_budget"] == "spent"


def test_a_key_that_nothing_is_sent_with_is_as_it_was() -> None:
    stage = Stage()
    stage.run.strict = True
    assert isinstance(failure(stage), CannotCarry)
    assert (stage.tries, stage.pool.ends, stage.other.ends) == ([], ["declined"], ["declined"])


def test_what_a_try_has_met_is_told_before_another_one_answers() -> None:
    stage = Stage(FAILS, Script())
    chunks = stage.chunks()
    next(chunks)
    assert [(one.provider, one.error) for one in stage.told] == [("one", BROKEN.code)]
    list(chunks)
    assert [one.error for one in stage.told] == [BROKEN.code, None]


def test_a_key_is_told_that_its_answer_has_begun() -> None:
    stage = Stage(FAILS, Script([HELLO, BROKEN]))
    chunks = stage.chunks()
    next(chunks)
    assert [lease.has_begun for lease in stage.pool.leases + stage.other.leases] == [False, True]
