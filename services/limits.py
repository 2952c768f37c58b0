"""LimitService: how many requests callers may send, and how many streams they may have open."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from core.clock import Clock
from core.errors import RateLimited
from core.store.base import Counters, Reading
from schemas.caller import Caller
from schemas.limit import Allowance
from services.bounds import Bound, BoundTable
from services.limit_refusals import refusal


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands: what is left of the tightest limit of requests and of tokens; None where there is none.

    `refusal` is set when this request was one too many.
    """

    requests: Allowance | None = None
    tokens: Allowance | None = None
    refusal: RateLimited | None = None


class LimitService:
    """Requests a minute for each key and each address, exact over all workers, in one trip to the store."""

    def __init__(self, counters: Counters, bounds: BoundTable, clock: Clock) -> None:
        self._counters = counters
        self._bounds = bounds
        self._clock = clock

    def count(self, caller: Caller | None, ip: str, *, known: bool = True) -> Standing:
        """Count one request, or say why it is refused; what is left of the tokens is only looked at.

        Of one who is not `known` there is the address alone. When that has no room nothing is told of the caller, so
        that a refusal does not say which key is right.
        """
        requests, tokens = tuple(self._bounds.requests(caller, ip)), tuple(self._bounds.tokens(caller, ip))
        if not known:
            requests, tokens = _of_address(requests), _of_address(tokens)
        if not requests and not tokens:
            return Standing()
        now = self._clock.now()
        windows = [bound.window(int(bound.unit == "requests")) for bound in (*requests, *tokens)]
        taken = self._counters.take(windows, now)
        readings = list(zip((bound.enforced(taken) for bound in (*requests, *tokens)), taken.readings, strict=True))
        of_requests, of_tokens = readings[: len(requests)], readings[len(requests) :]
        if any(bound.scope == "ip" and reading.retry_after > 0 for bound, reading in of_requests):
            of_requests, of_tokens = (
                [pair for pair in some if pair[0].scope == "ip"] for some in (of_requests, of_tokens)
            )
        refused = None if taken.granted else _refused(of_requests, now)
        return Standing(tightest(of_requests), tightest(of_tokens), refused)


def _of_address(bounds: Iterable[Bound]) -> tuple[Bound, ...]:
    return tuple(bound for bound in bounds if bound.scope == "ip")


def tightest(readings: Collection[tuple[Bound, Reading]]) -> Allowance | None:
    """What is left of that bound of which the least is left, and which is longest in the way."""
    if not readings:
        return None
    bound, reading = min(readings, key=lambda pair: (-pair[1].retry_after, pair[1].remaining))
    return Allowance(bound.limit, reading.remaining, reading.reset_after)


def _refused(readings: Iterable[tuple[Bound, Reading]], now: float) -> RateLimited:
    bound, reading = max(readings, key=lambda pair: pair[1].retry_after)
    return refusal(bound, reading, 1, now)
