"""Who is next when every key serves as many requests as it may."""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Mapping

from config.settings import QueueSettings
from core.clock import Clock
from core.errors import SlotsBusy


class Ticket:
    """One waiting request of `caller`. `wants` are the ids of the keys that would do, as far as it has found out.

    `busy` is what it was told when it looked at them last; until `look_at` that is believed as long as others go first.
    """

    __slots__ = ("busy", "caller", "look_at", "since", "wants")

    def __init__(self, caller: str, since: float) -> None:
        self.caller = caller
        self.since = since
        self.wants: Collection[str] = ()
        self.busy: SlotsBusy | None = None
        self.look_at = 0.0


class FairQueue:
    """The waiting requests of one worker: callers take turns, and each caller's own requests are served in order.

    A slot belongs to the first in line who wants its key, so a request that waits for one key holds up none that would
    take another. `changed` is told how many wait, `served` how many seconds one has waited for its slot.
    """

    def __init__(
        self,
        settings: QueueSettings,
        clock: Clock,
        changed: Callable[[int], None] | None = None,
        served: Callable[[float], None] | None = None,
    ) -> None:
        self.max_wait = settings.max_wait
        self._max_waiting = settings.max_waiting if settings.max_wait else 0
        self._clock = clock
        self._changed = changed
        self._served = served
        self._lines: OrderedDict[str, deque[Ticket]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def is_full(self) -> bool:
        """True when as many wait as may, or nobody may."""
        return len(self) >= self._max_waiting

    def become(self, wanted: "FairQueue") -> None:
        """Take as many, and let them wait as long, as `wanted` does; who waits goes on waiting."""
        self.max_wait, self._max_waiting = wanted.max_wait, wanted._max_waiting

    def join(self, caller: str, wants: Collection[str] = ()) -> Ticket | None:
        """A place at the end of the caller's line; None when as many wait as may. `leave` follows in any case."""
        if self.is_full:
            return None
        ticket = Ticket(caller, self._clock.monotonic())
        ticket.wants = wants
        self._lines.setdefault(caller, deque()).append(ticket)
        self._tell()
        return ticket

    def leave(self, ticket: Ticket, *, served: bool) -> None:
        """The request waits no longer; its caller goes to the end when it was `served`."""
        line = self._lines[ticket.caller]
        line.remove(ticket)
        if served:
            self._lines.move_to_end(ticket.caller)
            if self._served is not None:
                self._served(self._clock.monotonic() - ticket.since)
        if not line:
            del self._lines[ticket.caller]
        self._tell()

    def waited(self, ticket: Ticket) -> float:
        """For how many seconds the request has waited."""
        return self._clock.monotonic() - ticket.since

    def is_first(self, ticket: Ticket | None) -> bool:
        """True when nobody goes before `ticket`; where that is None, when nobody waits."""
        return next(self._in_order(), None) is ticket

    def left_for(self, ticket: Ticket | None, places: Mapping[str, int]) -> set[str]:
        """The keys that have a place left, of so many, once each one who goes before has one of a key that it wants.

        Those who go before are all where `ticket` is None.
        """
        left = dict(places)
        for other in self._in_order():
            if other is ticket or not left:
                break
            taken = next((key for key in left if key in other.wants), None)
            if taken is not None:
                left[taken] -= 1
                if not left[taken]:
                    del left[taken]
        return set(left)

    def _in_order(self) -> Iterator[Ticket]:
        lines = [list(line) for line in self._lines.values()]
        for place in range(max(map(len, lines), default=0)):
            yield from (line[place] for line in lines if place < len(line))

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed(len(self))
