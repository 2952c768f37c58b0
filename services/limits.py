"""LimitService: how many requests callers may send, and how many streams they may have open."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.clock import Clock
from core.errors import RateLimited
from core.store.base import Counters, Reading
from schemas.caller import Caller
from schemas.limit import Allowance
from services.bounds import Bound, BoundTable
from services.limit_refusals import refusal
from services.telemetry import Telemetry


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

    def __init__(self, counters: Counters, bounds: BoundTable, telemetry: Telemetry, clock: Clock) -> None:
        self._counters = counters
        self._bounds = bounds
        self._telemetry = telemetry
        self._clock = clock

    def count(self, caller: Caller | None, ip: str) -> Standing:
        """Count one request, or say why it is refused; what is left of the tokens is only looked at."""
        requests, tokens = tuple(self._bounds.requests(caller, ip)), tuple(self._bounds.tokens(caller, ip))
        bounds = (*requests, *tokens)
        if not bounds:
            return Standing()
        now = self._clock.now()
        windows = [bound.window(int(bound.unit == "requests")) for bound in bounds]
        taken = self._counters.take(windows, now)
        readings = dict(zip(bounds, taken.readings, strict=True))
        refused = None if taken.granted else self._refused(requests, readings, now)
        return Standing(tightest(requests, readings), tightest(tokens, readings), refused)

    def _refused(self, requests: Iterable[Bound], readings: dict[Bound, Reading], now: float) -> RateLimited:
        bound = max(requests, key=lambda bound: readings[bound].retry_after)
        self._telemetry.rate_limited(bound.scope)
        return refusal(bound, readings[bound], 1, now)


def tightest(bounds: Iterable[Bound], readings: dict[Bound, Reading]) -> Allowance | None:
    """What is left of that bound of which the least is left, and which is longest in the way."""
    found = [(bound, readings[bound]) for bound in bounds]
    if not found:
        return None
    bound, reading = min(found, key=lambda pair: (-pair[1].retry_after, pair[1].remaining))
    return Allowance(bound.limit, reading.remaining, reading.reset_after)
