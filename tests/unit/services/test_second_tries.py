"""What becomes of a request whose provider refuses a part of it, or cannot carry all of it."""

from dataclasses import replace
from typing import Any

import pytest

from config.settings import RetrySettings
from core.credentials.callers_own import CallersOwn
from core.errors import (
    CannotCarry,
    GatewayError,
    InvalidRequest,
    NoCredentials,
    Unauthorized,
    UpstreamServerError,
)
from schemas.chat import ChatRequest, Message, ThinkingBlock
from schemas.origin import Origin
from services.run import Call
from services.site import Site
from tests.unit.services.chat_kit import ANSWER, FakePool, FakeProvider, Script, Stage

REFUSED = Script(refused=InvalidRequest("thinking may not be replayed"))


class Picky(FakeProvider):
    """Can be asked again without `what` once it has refused it."""

    what = "thinking_replay"

    def second_try(self, request: ChatRequest, error: GatewayError) -> ChatRequest | None:
        if self.what in request.omit or "replayed" not in error.message:
            return None
        return replace(request, omit=request.omit | {self.what})


class House(Stage):
    """A stage whose first provider is picky."""

    def __init__(
        self, *scripts: Script, strict: bool = False, own: bool = False, what: str = "thinking_replay"
    ) -> None:
        super().__init__(*scripts, pool=FakePool("one", "a"))
        picky = Picky("one", self.transport)
        picky.what = what
        self.sites: Any = self.dispatcher._sites
        self.sites["one"] = Site(picky, CallersOwn("one") if own else self.pool, 60, strict)
        self.run.request = replace(self.run.request, session="s")

    def again(self) -> None:
        """A second request of the same conversation."""
        fresh = Stage()
        self.run = replace(fresh.run, request=replace(self.run.request, omit=frozenset()))

    def bring(self, **own: str) -> None:
        origin = Origin("req-1", self.clock.monotonic(), own=own)
        self.run.call = Call(origin, self.run.call.cancel, self.run.call.signs)


def test_what_was_refused_is_left_out_at_once_and_with_the_same_key() -> None:
    house = House(REFUSED, Script())
    assert tuple(house.chunks()) == ANSWER
    assert house.errors == ["invalid_request_error", None]
    assert house.tries == ["a", "a"]
    assert house.run.request.omit == {"thinking_replay"}


def test_the_decision_is_kept_for_the_conversation() -> None:
    house = House(REFUSED, Script())
    list(house.chunks())
    asked = replace(
        house.run.request, omit=frozenset(), messages=(Message("assistant", thinking=(ThinkingBlock("x", "y"),)),)
    )
    assert house.thoughts.recall(asked, house.recollection.find(house.thoughts.names(asked))).omit == {
        "thinking_replay"
    }


def test_a_providers_own_way_is_learned_for_all_requests() -> None:
    house = House(REFUSED, Script(), Script(), what="stream_options")
    list(house.chunks())
    house.again()
    assert tuple(house.chunks()) == ANSWER
    assert len(house.tries) == 3
    assert house.run.request.omit == frozenset()


def test_a_second_refusal_is_the_answer() -> None:
    house = House(REFUSED, REFUSED)
    with pytest.raises(InvalidRequest, match="replayed"):
        list(house.chunks())
    assert len(house.tries) == 2


def test_a_strict_target_that_would_leave_something_out_is_passed_over() -> None:
    house = House(Script(), strict=True)
    assert tuple(house.chunks()) == ANSWER
    assert house.errors == ["unsupported_parameter", None]
    assert house.tries == ["c"], "nothing was sent to the strict one"


def test_without_another_target_the_client_is_told_what_cannot_be_carried() -> None:
    house = House(strict=True)
    with pytest.raises(CannotCarry, match="seed") as raised:
        list(house.chunks(targets=1))
    assert (raised.value.status, raised.value.param) == (400, "seed")
    assert house.pool.ends == ["declined"]


def test_a_key_of_the_callers_own_is_leased_to_its_caller() -> None:
    house = House(Script(), own=True)
    house.bring(Authorization="Bearer sk-own")
    assert tuple(house.chunks()) == ANSWER
    assert house.run.outcome.credential is not None
    assert "sk-own" not in house.run.outcome.credential


def test_a_caller_who_brings_none_is_told_how() -> None:
    house = House(own=True)
    with pytest.raises(Unauthorized, match="X-Gateway-Key") as raised:
        list(house.chunks(targets=1))
    assert raised.value.code == "missing_provider_key"


def test_a_refusal_of_the_callers_own_key_is_the_callers_401() -> None:
    house = House(Script(status=401), own=True)
    house.bring(Authorization="Bearer sk-own")
    with pytest.raises(Unauthorized) as raised:
        list(house.chunks(targets=1))
    assert raised.value.code == "invalid_provider_key"
    assert "sk-own" not in raised.value.message


def test_the_same_key_is_not_tried_twice() -> None:
    pool = CallersOwn("one")
    own = {"Authorization": "Bearer sk-own"}
    lease = pool.lease(own, frozenset(), 0.0)
    with pytest.raises(NoCredentials):
        pool.lease(own, frozenset({lease.credential.id}), 0.0)
    lease.abandon()


def test_a_strict_target_costs_no_try() -> None:
    house = House(Script(), strict=True)
    house.dispatcher._retry = RetrySettings(max_attempts=1)
    assert tuple(house.chunks()) == ANSWER


def test_what_is_sent_once_more_without_a_part_costs_no_try() -> None:
    house = House(REFUSED, Script())
    house.dispatcher._retry = RetrySettings(max_attempts=1)
    assert tuple(house.chunks()) == ANSWER
    assert house.tries == ["a", "a"]


def test_after_that_as_many_tries_are_left_as_before() -> None:
    broken = Script([UpstreamServerError("no")])
    house = House(REFUSED, broken, broken, Script())
    house.dispatcher._retry = RetrySettings(max_attempts=2)
    with pytest.raises(UpstreamServerError):
        list(house.chunks())
    assert house.tries == ["a", "a", "c"]
