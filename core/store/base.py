"""The two contracts of the store: counters are hot and atomic, records are durable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from core.errors import StoreUnavailable

Record = Mapping[str, Any]


class Overtaken(StoreUnavailable):
    """The home answers, but others changed the record faster each time."""


WindowKind = Literal["sliding", "bucket", "fixed"]


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` units in `seconds` under `key`; this request costs `cost` of them.

    `sliding`: in any `seconds`, wherever they begin. `bucket`: a bucket of `limit` units that fills up within
    `seconds`. `fixed`: in each stretch of `seconds` since the epoch, so that all of it comes back at once.
    `divided`: a worker that counts alone, as the home is away, keeps to its share of the limit.
    """

    key: str
    limit: int
    seconds: float
    cost: int = 1
    divided: bool = True
    kind: WindowKind = "sliding"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is left in a window after `take`: units, seconds until all of it is free again, and seconds until the cost
    that was asked for fits (0 when it fits now). A fixed window of which more was used than there was is below zero."""

    remaining: int
    reset_after: float
    retry_after: float


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to `take`: granted or not, with one reading a window in the order asked.

    `alone`: by this worker, as the home was away, out of its share: each limit divided by `workers`.
    """

    granted: bool
    readings: tuple[Reading, ...]
    alone: bool = False
    workers: int = 1


def share_of(limit: int, workers: int) -> int:
    """What one of so many workers may grant by itself."""
    return max(1, limit // workers)


@dataclass(frozen=True, slots=True)
class Room:
    """Where texts share `max_bytes`, all that they cost included: the least lately used make room for new ones."""

    name: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the keys of one kind, its ends not included: up to `limit` from the front, or from the back.

    An empty `before` means up to the last key.
    """

    after: str = ""
    before: str = ""
    limit: int = 100
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is to have a place: `who` wants one `since` then, in seconds since the epoch.

    Who `waits` stands in line for `seconds` from each time it was refused; who does not goes behind all who do.
    """

    who: str
    since: float
    waits: bool
    seconds: float


class Counters(Protocol):
    """Atomic and short-lived. `now` is seconds since the epoch, from the caller's clock."""

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        """Count every window's cost, or none of them when one is full. Exact over all workers."""

    def correct(self, windows: Sequence[Window], at: float, now: float, *, alone: bool = False) -> None:
        """Add each window's cost, which may be negative here, to what was taken at `at`, whatever the limit is.

        What no longer counts is left as it is. `alone` is what the answer to `take` was.
        """

    def lock(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Hold or renew the named lock for `seconds`; False while another owner holds it."""

    def unlock(self, name: str, owner: str) -> None:
        """Give the lock back if `owner` still holds it."""

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float, turn: Turn | None = None) -> bool:
        """Hold or renew one of `limit` places under that name for `seconds`; False while others hold them all.

        With a `turn`, one that is free is left to those who stand in line for longer.
        """

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""

    def held(self, name: str, now: float) -> int:
        """How many of the places under that name are held."""

    def keep(self, texts: Mapping[str, str], seconds: float, now: float, room: Room | None = None) -> None:
        """Keep short texts under these names for `seconds`; each may be lost sooner, when room is needed."""

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which a text is kept, with it, in one trip."""

    def use(self, names: Sequence[str], room: str, now: float) -> None:
        """Say that these texts of the room with that name are used now, so that others go first."""


class Records(Protocol):
    """Durable JSON objects under (kind, key). What is written survives a kill -9 of the process."""

    def get(self, kind: str, key: str) -> Record | None:
        """The record, or None."""

    def all(self, kind: str) -> dict[str, Record]:
        """Every record of the kind, by key."""

    def put(self, kind: str, key: str, value: Record) -> None:
        """Write the record, replacing what was there."""

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        """Replace the record by `edit` of what is there now, atomically over all workers, and return the new one.

        `edit` may be called more than once and must not have effects of its own nor wait for anything.
        """

    def delete(self, kind: str, key: str) -> bool:
        """Remove the record; False when there was none."""

    def page(self, kind: str, span: Span) -> list[tuple[str, Record]]:
        """The records of a stretch of keys, in the order of their keys' bytes."""

    def put_all(self, kind: str, values: Mapping[str, Record]) -> None:
        """Write all of these, together."""

    def prune(self, kind: str, before: str, limit: int) -> int:
        """Remove up to `limit` records, the first ones, whose keys stand before `before`; how many those were."""

    def drop(self, kind: str) -> None:
        """Remove every record of the kind."""


class Store(Protocol):
    """One home for both contracts."""

    @property
    def counters(self) -> Counters: ...

    @property
    def records(self) -> Records: ...

    @property
    def degraded(self) -> bool:
        """True while the shared home cannot be reached and this process counts alone."""

    def expect(self, workers: int) -> None:
        """How many workers share the home, for the share of each while it is alone."""

    def save(self) -> None:
        """Write what has to survive and was not written as it happened: every second. Raises StoreUnavailable."""

    def measure(self) -> float:
        """The share of the home's memory that is taken, 0 without a bound; near the end it makes room for what matters.

        Raises StoreUnavailable.
        """

    def ping(self) -> bool:
        """True when the home answers now."""

    def close(self) -> None:
        """Write what is pending and let go of every connection."""
