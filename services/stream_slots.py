"""StreamSlots: how many streamed answers each caller has open."""

from collections.abc import Callable
from uuid import uuid4

from core.clock import Clock
from core.errors import RateLimited, StoreUnavailable
from core.store.base import Counters
from schemas.caller import Caller
from services.bounds import connection_of

HELD_SECONDS = 60.0
RENEW_SECONDS = 15.0


class StreamSlots:
    """Exact over all workers. What a worker that was killed held comes back within a minute."""

    def __init__(self, counters: Counters, limit_of: Callable[[Caller | None], int | None], clock: Clock) -> None:
        self._counters = counters
        self._limit_of = limit_of
        self._clock = clock
        self._open: dict[str, tuple[str, int]] = {}

    def configure(self, limit_of: Callable[[Caller | None], int | None]) -> None:
        """Take as many from now on; those that are open stay."""
        self._limit_of = limit_of

    def enter(self, caller: Caller | None, ip: str, request_id: str) -> Callable[[], None]:
        """Hold a place, and return what gives it back. Raises RateLimited when none is left."""
        limit = self._limit_of(caller)
        if limit is None:
            return lambda: None
        # A client may send two requests under one id.
        owner, name = f"{request_id}#{uuid4().hex[:8]}", _name(caller, ip)
        if not self._counters.claim(name, owner, limit, HELD_SECONDS, self._clock.now()):
            raise _full(limit)
        self._open[owner] = (name, limit)
        return lambda: self._leave(owner)

    def look(self, caller: Caller | None, ip: str) -> RateLimited | None:
        """What `enter` would raise now; no place is held."""
        limit = self._limit_of(caller)
        held = 0 if limit is None else self._counters.held(_name(caller, ip), self._clock.now())
        return _full(limit) if limit is not None and held >= limit else None

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


def _name(caller: Caller | None, ip: str) -> str:
    whose = f"anonymous:{connection_of(ip)}" if caller is None or caller.anonymous else caller.id
    return f"streams:{whose}"


def _full(limit: int) -> RateLimited:
    message = f"This key may have {limit} streamed answers at a time, and has them. Please try again later."
    details = {"scope": "key", "unit": "streams", "limit": limit}
    return RateLimited(message, code="too_many_streams", retry_after=1.0, details=details)
