"""StreamSlots: how many streamed answers each caller has open."""

from collections.abc import Callable
from uuid import uuid4

from core.clock import Clock
from core.errors import RateLimited, StoreUnavailable
from core.store.base import Counters
from schemas.caller import Caller

HELD_SECONDS = 60.0
RENEW_SECONDS = 15.0


class StreamSlots:
    """Exact over all workers. What a worker that was killed held comes back within a minute."""

    def __init__(self, counters: Counters, limit_of: Callable[[Caller | None], int | None], clock: Clock) -> None:
        self._counters = counters
        self._limit_of = limit_of
        self._clock = clock
        self._open: dict[str, tuple[str, int]] = {}

    def enter(self, caller: Caller | None, ip: str, request_id: str) -> Callable[[], None]:
        """Hold a place, and return what gives it back. Raises RateLimited when none is left."""
        limit = self._limit_of(caller)
        if limit is None:
            return lambda: None
        whose = f"anonymous:{ip}" if caller is None or caller.anonymous else caller.id
        # A client may send two requests under one id.
        owner, name = f"{request_id}#{uuid4().hex[:8]}", f"streams:{whose}"
        if not self._counters.claim(name, owner, limit, HELD_SECONDS, self._clock.now()):
            message = f"This key may have {limit} streamed answers at a time, and has them. Please try again later."
            details = {"scope": "key", "unit": "streams", "limit": limit}
            raise RateLimited(message, code="too_many_streams", retry_after=1.0, details=details)
        self._open[owner] = (name, limit)
        return lambda: self._leave(owner)

    def renew(self) -> None:
        """Hold what is open for longer: every few seconds."""
        for owner, (name, limit) in list(self._open.items()):
            try:
                self._counters.claim(name, owner, limit, HELD_SECONDS, self._clock.now())
            except StoreUnavailable:
                return

    def _leave(self, owner: str) -> None:
        held = self._open.pop(owner, None)
        if held is not None:
            self._counters.unclaim(held[0], owner)
