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
        self._fetching: set[str] = set()

    def take(self, credential: Credential, now: float) -> float:
        """0 when the key may make a request now; else in how many seconds it may."""
        limit = credential.limits.requests
        if limit is None:
            return 0.0
        if self._use(credential.id, now):
            return 0.0
        together = max(1, min(self._remaining.get(credential.id, limit), limit) // SHARE)
        if together > 1 and credential.id not in self._fetching and self._fetch(credential, limit, together, now):
            return 0.0
        wait = self._ask(credential, limit, 1, now)
        # Another request may have taken the last ones together while this one asked.
        return 0.0 if wait and self._use(credential.id, now) else wait

    def give_back(self, credential: Credential, at: float, now: float) -> None:
        """One that was taken `at` that time, and not used: another request may have it."""
        limit, held = credential.limits.requests, self._held.get(credential.id)
        if limit is None:
            return
        if held is not None and held.until > now and held.until - HELD_SECONDS <= at:
            self._held[credential.id] = _Held(held.left + 1, held.until)
            return
        try:
            self._counters.correct([_window(credential.id, limit, -1)], at, now)
        except StoreUnavailable:
            return  # it is over with its minute

    def _use(self, key: str, now: float) -> bool:
        """One of those that are held; False when there is none."""
        held = self._held.get(key)
        if held is None or held.left <= 0 or held.until <= now:
            return False
        self._held[key] = _Held(held.left - 1, held.until)
        return True

    def _fetch(self, credential: Credential, limit: int, together: int, now: float) -> bool:
        """Take so many, one of them for now; nobody else does meanwhile, as that would forget the rest of either."""
        self._fetching.add(credential.id)
        try:
            if self._ask(credential, limit, together, now):
                return False
        finally:
            self._fetching.discard(credential.id)
        self._held[credential.id] = _Held(together - 1, now + HELD_SECONDS)
        return True

    def _ask(self, credential: Credential, limit: int, cost: int, now: float) -> float:
        try:
            taken = self._counters.take([_window(credential.id, limit, cost)], now)
        except StoreUnavailable:
            return 0.0
        (reading,) = taken.readings
        self._remaining[credential.id] = reading.remaining
        return 0.0 if taken.granted else max(reading.retry_after, 0.001)


def _window(key: str, limit: int, cost: int) -> Window:
    seconds = MINUTE + (HELD_SECONDS if limit >= SHARE else 0.0)
    return Window(f"permits:{key}", limit, seconds, cost)
