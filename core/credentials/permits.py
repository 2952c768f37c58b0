"""How many requests a minute a key may make, over all workers."""

from dataclasses import dataclass

from core.credentials.flow import MINUTE
from core.errors import StoreUnavailable
from core.store.base import Counters, Window
from schemas.credential import Credential

HELD_SECONDS = 1.0
"""How long permits that were taken together are good for."""

SHARE = 64
"""Of what is left so many parts are made, one of which is taken together: far from its limit a key takes no trip for
each request, and near it workers hold nothing that another could use."""


@dataclass(frozen=True, slots=True)
class _Held:
    left: int
    until: float


class Permits:
    """A window in the store for each key that was given a limit of requests; while the store fails, nothing is kept
    from working.

    Never more than the limit in any minute: what is taken together and not used at once is counted for longer.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._held: dict[str, _Held] = {}
        self._remaining: dict[str, int] = {}

    def take(self, credential: Credential, now: float) -> float:
        """0 when the key may make a request now; else in how many seconds it may."""
        limit = credential.limits.requests
        if limit is None:
            return 0.0
        held = self._held.pop(credential.id, None)
        if held is not None and held.left > 0 and held.until > now:
            self._held[credential.id] = _Held(held.left - 1, held.until)
            return 0.0
        together = max(1, min(self._remaining.get(credential.id, limit), limit) // SHARE)
        wait = self._ask(credential, limit, together, now)
        return self._ask(credential, limit, 1, now) if wait and together > 1 else wait

    def _ask(self, credential: Credential, limit: int, cost: int, now: float) -> float:
        seconds = MINUTE + (HELD_SECONDS if limit >= SHARE else 0.0)
        window = Window(f"permits:{credential.id}", limit, seconds, cost)
        try:
            taken = self._counters.take([window], now)
        except StoreUnavailable:
            return 0.0
        (reading,) = taken.readings
        self._remaining[credential.id] = reading.remaining
        if not taken.granted:
            return max(reading.retry_after, 0.001)
        self._held[credential.id] = _Held(cost - 1, now + HELD_SECONDS)
        return 0.0
