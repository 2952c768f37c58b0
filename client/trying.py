"""Trying: one call at every place in turn, until one answers or nothing is left to try."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from client.errors import BudgetExceeded, GatewayClientError, RateLimited, TimedOut, Unreachable, UpstreamFailed
from client.places import Place, Places
from client.policy import RetryPolicy

T = TypeVar("T")
ABOUT_THE_MODEL = frozenset({"model_not_found", "model_not_allowed", "context_length_exceeded"})
"""What another model may be free of."""


@dataclass(frozen=True)
class Means:
    """What trying needs of the world; tests bring their own."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    rng: Random


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

    def first_answer(self, models: Sequence[str], timeout: float, ask: Callable[[Place, float], T]) -> T:
        """What `ask` returns at the first place that answers; it is told how many seconds are left.

        Every place is asked once before any is asked again, and none ahead of its `Retry-After`. Raises the failure
        that was met last.
        """
        deadline = self._means.clock() + timeout
        turns, failure = [Turn(place) for place in self._places.of(models)], None
        for _ in range(self._policy.attempts):
            if not turns:
                break
            turn = min(turns, key=lambda one: one.ready_at)
            self._wait(turn.ready_at, deadline, failure)
            try:
                answer = ask(turn.place, deadline - self._means.clock())
            except GatewayClientError as error:
                failure = error
                turns.remove(turn)
                if not self._leads_on(error, turn.place):
                    raise
                if error.repeats:
                    turns.append(self._again(turn, error))
            else:
                self._places.works(turn.place.gateway)
                return answer
        raise failure or TimedOut("no try is left")

    def _leads_on(self, error: GatewayClientError, place: Place) -> bool:
        """True when another place, or the same one later, may answer."""
        if isinstance(error, Unreachable | UpstreamFailed | TimedOut):
            self._places.failed(place.gateway)
            return True
        return isinstance(error, RateLimited | BudgetExceeded) or error.code in ABOUT_THE_MODEL

    def _again(self, turn: Turn, error: GatewayClientError) -> Turn:
        wait = max(error.retry_after or 0.0, self._policy.wait(turn.times, self._means.rng))
        return Turn(turn.place, self._means.clock() + wait, turn.times + 1)

    def _wait(self, until: float, deadline: float, failure: GatewayClientError | None) -> None:
        now = self._means.clock()
        if until >= deadline or now >= deadline:
            raise failure or TimedOut("the time of the call is over")
        if until > now:
            self._means.sleep(until - now)
