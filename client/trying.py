"""Trying: one call at every place in turn, until one answers or nothing is left to try."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from .errors import (
    BudgetExceeded,
    Conflict,
    GatewayClientError,
    RateLimited,
    TimedOut,
    Tried,
    Unreachable,
    UpstreamFailed,
)
from .places import Place, Places
from .policy import RetryPolicy

T = TypeVar("T")
ABOUT_THE_MODEL = frozenset(
    {"model_not_found", "model_not_allowed", "price_unknown", "context_length_exceeded", "unsupported_parameter"}
)
"""What another model may be free of."""
Left = Callable[[], float]
"""How many seconds are left."""


@dataclass(frozen=True)
class Means:
    """What trying needs of the world; tests bring their own."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    rng: Random


@dataclass(frozen=True)
class CallTime:
    """How many seconds a whole call may take, and one try of it."""

    whole: float
    one_try: float


@dataclass(frozen=True)
class Turn:
    """A place, when it may be asked, and how often it was."""

    place: Place
    ready_at: float = float("-inf")
    times: int = 0


class Trier:
    """Knows which failures lead elsewhere, which are waited for, and which are the answer."""

    def __init__(self, places: Places, policy: RetryPolicy, means: Means) -> None:
        self._places = places
        self._policy = policy
        self._means = means

    def first_answer(self, models: Sequence[str], time: CallTime, ask: Callable[[Place, Left], T]) -> T:
        """What `ask` returns at the first place that answers; it is told how long it may take.

        Every place is asked once before any is asked again, and none ahead of its `Retry-After`. Raises the failure
        that was met last.
        """
        deadline = self._means.clock() + time.whole
        turns, tried = [Turn(place) for place in self._places.of(models)], list[Tried]()
        failure: GatewayClientError = TimedOut("the time of the call is over")
        for _ in range(self._policy.attempts):
            if not turns:
                break
            # Of those that may be asked, a gateway that has failed comes last, also when it was a moment ago.
            turn = min(turns, key=lambda one: (one.ready_at, self._places.rests(one.place.gateway)))
            if not self._waited(turn.ready_at, deadline):
                break
            turns.remove(turn)
            try:
                return self._asked(turn.place, min(deadline, self._means.clock() + time.one_try), ask)
            except GatewayClientError as error:
                failure = error
            tried.append(Tried(turn.place.gateway, turn.place.model, f"{type(failure).__name__}: {failure.message}"))
            if not self._leads_on(failure, turn.place):
                break
            if failure.repeats:
                turns.append(self._again(turn, failure))
        failure.tried = tuple(tried)
        raise failure

    def _asked(self, place: Place, until: float, ask: Callable[[Place, Left], T]) -> T:
        answer = ask(place, lambda: until - self._means.clock())
        self._places.works(place.gateway)
        return answer

    def _leads_on(self, error: GatewayClientError, place: Place) -> bool:
        """True when another place, or the same one later, may answer."""
        if isinstance(error, Unreachable | UpstreamFailed | TimedOut):
            self._places.failed(place.gateway)
            return True
        if isinstance(error, BudgetExceeded):
            return self._policy.elsewhere_when_spent
        if isinstance(error, Conflict):
            return error.repeats
        return isinstance(error, RateLimited) or error.code in ABOUT_THE_MODEL

    def _again(self, turn: Turn, error: GatewayClientError) -> Turn:
        wait = (error.retry_after or 0.0) + self._policy.wait(turn.times, self._means.rng)
        return Turn(turn.place, self._means.clock() + wait, turn.times + 1)

    def _waited(self, until: float, deadline: float) -> bool:
        """False when there would be no time left."""
        now = self._means.clock()
        if max(until, now) >= deadline:
            return False
        if until > now:
            self._means.sleep(until - now)
        return self._means.clock() < deadline
