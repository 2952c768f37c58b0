"""WriteWatch: prompts that were written to a cache, until something reads them or their time is over."""

from collections import deque
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
class Writer:
    """Who wrote, as reports and metrics call them.

    `model` is the name that was asked for, `served` that of the model that answered, `upstream_model` the provider's
    own for it.
    """

    provider: str
    upstream_model: str
    model: str
    served: str
    credential: str
    session: str | None


@dataclass(frozen=True, slots=True)
class _Written:
    """One write: until when it lives (seconds since the epoch), under which name its use is kept, and its tokens.

    Hundreds of bytes, whatever the prompt's size: nothing of the request itself is kept for it.
    """

    until: float
    name: str
    short: int
    long: int
    price: Price | None
    writer: Writer
    notional: bool


class WriteWatch:
    """What a read on another worker has used counts as used; while the store is away nothing is called waste."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock
        self._written: deque[_Written] = deque(maxlen=MOST)

    def __len__(self) -> int:
        return len(self._written)

    def wrote(self, donor: Donor, price: Price | None, writer: Writer, *, notional: bool) -> None:
        """A request has written to its provider's cache. `price` is the one for a prompt of `donor.total` tokens."""
        short, long = donor.written_short, donor.written_long
        if short or long:
            until = donor.started + max(mark.life for mark in donor.marks) + GRACE
            self._written.append(_Written(until, _name(donor), short, long, price, writer, notional))

    def was_read(self, donor: Donor) -> None:
        """A later request has read what that one left, be it only a part."""
        try:
            self._counters.keep({_name(donor): "1"}, donor.lifetime, self._clock.now())
        except StoreUnavailable:
            return

    def wasted(self) -> list[tuple[Writer, Finding]]:
        """What nobody has read by the end of its life, each told once and some hundreds at a time: every minute."""
        now = self._clock.now()
        due = [one for one in self._written if one.until <= now][:AT_ONCE]
        try:
            used = self._counters.kept([one.name for one in due], now) if due else {}
        except StoreUnavailable:
            return []
        over = set(map(id, due))
        self._written = deque((one for one in self._written if id(one) not in over), MOST)
        return [
            (one.writer, write_waste(one.short, one.long, one.price, notional=one.notional))
            for one in due
            if one.name not in used
        ]


def _name(donor: Donor) -> str:
    return f"cache-used:{donor.account}:{donor.digest}:{donor.started:.3f}"
