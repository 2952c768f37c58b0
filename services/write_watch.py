"""WriteWatch: prompts that were written to a cache, until something reads them or their time is over."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.clock import Clock
from core.errors import StoreUnavailable
from core.prompt_cache.donors import Donor
from core.prompt_cache.finding import Finding
from core.prompt_cache.judge import write_waste
from core.store.base import Counters
from schemas.model import Price

MOST = 10_000
"""So many writes are watched in each worker; the oldest ones are forgotten for newer ones."""
GRACE = 60.0
"""Seconds after a cache's end: a request that was on its way may have read it."""
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Written:
    """One write: until when it lives (seconds since the epoch), and what its waste is told of."""

    until: float
    donor: Donor
    price: Price | None
    notional: bool
    tell: Callable[[Finding], None]


class WriteWatch:
    """What a read on another worker has used counts as used; while the store is away nothing is called waste."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock
        self._written: deque[Written] = deque(maxlen=MOST)

    def wrote(self, donor: Donor, price: Price | None, tell: Callable[[Finding], None], *, notional: bool) -> None:
        """A request has written to its provider's cache."""
        if donor.written_short or donor.written_long:
            life = max(mark.life for mark in donor.marks)
            self._written.append(Written(donor.started + life + GRACE, donor, price, notional, tell))

    def was_read(self, donor: Donor) -> None:
        """A later request has read what that one left, be it only a part."""
        try:
            self._counters.keep({_name(donor): "1"}, donor.lifetime, self._clock.now())
        except StoreUnavailable:
            return

    def look(self) -> None:
        """Tell of what nobody has read by the end of its life: about once a minute."""
        now = self._clock.now()
        due = [one for one in self._written if one.until <= now][:AT_ONCE]
        if not due:
            return
        try:
            used = self._counters.kept([_name(one.donor) for one in due], now)
        except StoreUnavailable:
            return
        over = set(map(id, due))
        self._written = deque((one for one in self._written if id(one) not in over), MOST)
        for one in due:
            if _name(one.donor) not in used:
                one.tell(write_waste(one.donor, one.price, notional=one.notional))


def _name(donor: Donor) -> str:
    return f"cache-used:{donor.account}:{donor.digest}:{donor.started:.3f}"
