"""A store that goes on without its shared home, counting alone until the home is back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import structlog

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Counters, Overtaken, Record, Records, Room, Span, Store, Taken, Turn, Window, share_of
from core.store.memory import MemoryCounters
from core.store.owed import Owed, Untried

RETRY_SECONDS = 1.0
MAX_COPIES = 10_000
OF_ONE = ":"
"""Stands in the kinds that there is one of for each owner or each conversation."""

T = TypeVar("T")


class Gate:
    """The breaker in front of the home: one failure closes it, and once a second one call may try again.

    That one asks first whether all of the home `answers`, as a part of it may be away still.
    """

    def __init__(self, clock: Clock, answers: Callable[[], bool]) -> None:
        self.degraded = False
        self._clock = clock
        self._answers = answers
        self._retry_at = 0.0
        self._log = structlog.get_logger(__name__)

    def through(self, call: Callable[[], T]) -> T:
        """What `call` returns. Raises StoreUnavailable without waiting while the home is known to be away."""
        now = self._clock.monotonic()
        if self.degraded:
            if now < self._retry_at:
                raise Untried("the shared store cannot be reached")
            # The others go on alone while this one finds out.
            self._retry_at = now + RETRY_SECONDS
            if not self._answers():
                raise Untried("the shared store cannot be reached")
        try:
            result = call()
        except Overtaken:
            self._open()
            raise
        except StoreUnavailable as error:
            self._close(error)
            raise
        self._open()
        return result

    def _open(self) -> None:
        if self.degraded:
            self.degraded = False
            self._log.warning("store_recovered")

    def _close(self, error: StoreUnavailable) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_SECONDS
        if not self.degraded:
            self.degraded = True
            # The kind alone: what the library says may hold an address or a name.
            cause = type(error.__cause__ or error).__name__
            self._log.error("store_degraded", cause=cause, consequence="this process counts alone")


class ResilientStore:
    """Wraps a shared home. While that is away, windows and places are counted in this process, each with this worker's
    share of its limit; records are read from what was last seen of them, and cannot be written."""

    def __init__(self, home: Store, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._gate = Gate(clock, home.ping)
        self._counters = _Counters(home.counters, self._gate)
        self._records = _Records(home.records, self._gate)

    @property
    def counters(self) -> Counters:
        """Shared while the home answers, alone otherwise."""
        return self._counters

    @property
    def records(self) -> Records:
        """Shared; writing raises StoreUnavailable while the home is away."""
        return self._records

    @property
    def degraded(self) -> bool:
        """True while the home cannot be reached."""
        return self._gate.degraded

    def expect(self, workers: int) -> None:
        """How many workers share the home: each may grant that part of a limit when alone."""
        self._counters.workers = max(1, workers)

    def save(self) -> None:
        """Raises StoreUnavailable."""
        self._gate.through(self._home.save)
        self._counters.make_up(self._clock.now())

    def measure(self) -> float:
        """How full the home is. Raises StoreUnavailable."""
        return self._gate.through(self._home.measure)

    def ping(self) -> bool:
        """True when the home answers now."""
        try:
            return self._gate.through(self._ping)
        except StoreUnavailable:
            return False

    def close(self) -> None:
        """Let go of the home."""
        self._home.close()

    def _ping(self) -> bool:
        if not self._home.ping():
            raise StoreUnavailable("the shared store does not answer")
        return True


class _Counters:
    """The home's counters, or this process's own."""

    def __init__(self, home: Counters, gate: Gate) -> None:
        self.workers = 1
        self._home = home
        self._gate = gate
        self._alone = MemoryCounters()
        self._owed = Owed()

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        """Count every window's cost, or none of them."""
        try:
            return self._gate.through(lambda: self._home.take(windows, now))
        except StoreUnavailable:
            taken = self._alone.take([self._share(window) for window in windows], now)
            return replace(taken, alone=True, workers=self.workers)

    def correct(self, windows: Sequence[Window], at: float, now: float, *, alone: bool = False) -> None:
        """Add to what was taken at `at`, where it was taken; what the home cannot be told now it is told later."""
        if alone:
            self._alone.correct([self._share(window) for window in windows], at, now)
            return
        try:
            self._gate.through(lambda: self._home.correct(windows, at, now))
        except Untried:
            self._owed.note(windows, at)
        except StoreUnavailable:
            return

    def make_up(self, now: float) -> None:
        """Tell the home what it could not be told while it was away."""
        self._owed.pay(lambda windows, at: self._gate.through(lambda: self._home.correct(windows, at, now)))
        self._owed.give_back(lambda name, owner: self._gate.through(lambda: self._home.unclaim(name, owner)))

    def lock(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Hold or renew the named lock; nobody holds any while the home is away."""
        try:
            return self._gate.through(lambda: self._home.lock(name, owner, seconds, now))
        except StoreUnavailable:
            return False

    def unlock(self, name: str, owner: str) -> None:
        """Give the lock back; while the home is away it ends by itself."""
        try:
            self._gate.through(lambda: self._home.unlock(name, owner))
        except StoreUnavailable:
            return

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float, turn: Turn | None = None) -> bool:
        """Hold or renew one of `limit` places; of this worker's share of them while the home is away."""
        self._owed.stay(name, owner)
        try:
            return self._gate.through(lambda: self._home.claim(name, owner, limit, seconds, now, turn))
        except StoreUnavailable:
            return self._alone.claim(name, owner, share_of(limit, self.workers), seconds, now, turn)

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, wherever it has one; what the home cannot be told now it is told later."""
        self._alone.unclaim(name, owner)
        try:
            self._gate.through(lambda: self._home.unclaim(name, owner))
        except StoreUnavailable:
            self._owed.leave(name, owner)

    def held(self, name: str, now: float) -> int:
        """How many places are held; by this worker while the home is away."""
        try:
            return self._gate.through(lambda: self._home.held(name, now))
        except StoreUnavailable:
            return self._alone.held(name, now)

    def keep(self, texts: Mapping[str, str], seconds: float, now: float, room: Room | None = None) -> None:
        """Keep short texts; in this process while the home is away."""
        try:
            self._gate.through(lambda: self._home.keep(texts, seconds, now, room))
        except StoreUnavailable:
            self._alone.keep(texts, seconds, now, room)

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which a text is kept; in this process while the home is away."""
        try:
            return self._gate.through(lambda: self._home.kept(names, now))
        except StoreUnavailable:
            return self._alone.kept(names, now)

    def use(self, names: Sequence[str], room: str, now: float) -> None:
        """Let others of the room go first; of no consequence while the home is away."""
        try:
            self._gate.through(lambda: self._home.use(names, room, now))
        except StoreUnavailable:
            return

    def _share(self, window: Window) -> Window:
        return window if not window.divided else replace(window, limit=share_of(window.limit, self.workers))


class _Records:
    """The home's records, with a copy of those seen last.

    No copy is kept of what is somebody's own: there is no end of such kinds, and who is told an old state, or that
    nothing is there, would act on it. Reading those raises StoreUnavailable.
    """

    def __init__(self, home: Records, gate: Gate) -> None:
        self._home = home
        self._gate = gate
        self._copies: dict[str, dict[str, Record]] = {}

    def get(self, kind: str, key: str) -> Record | None:
        """The record, or what was last seen of it."""
        try:
            value = self._gate.through(lambda: self._home.get(kind, key))
        except StoreUnavailable:
            if OF_ONE in kind:
                raise
            return self._copies.get(kind, {}).get(key)
        if value is not None:
            self._keep(kind, key, value)
        else:
            self._forget(kind, key)
        return value

    def all(self, kind: str) -> dict[str, Record]:
        """Every record of the kind, or what was last seen of them."""
        try:
            found = self._gate.through(lambda: self._home.all(kind))
        except StoreUnavailable:
            if OF_ONE in kind:
                raise
            return dict(self._copies.get(kind, {}))
        if OF_ONE not in kind:
            self._copies[kind] = dict(islice(found.items(), MAX_COPIES))
        return found

    def put(self, kind: str, key: str, value: Record) -> None:
        """Write the record. Raises StoreUnavailable."""
        self._gate.through(lambda: self._home.put(kind, key, value))
        self._keep(kind, key, value)

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        """Replace the record by `edit` of what is there. Raises StoreUnavailable."""
        value = self._gate.through(lambda: self._home.change(kind, key, edit))
        self._keep(kind, key, value)
        return value

    def delete(self, kind: str, key: str) -> bool:
        """Remove the record. Raises StoreUnavailable."""
        found = self._gate.through(lambda: self._home.delete(kind, key))
        self._forget(kind, key)
        return found

    def page(self, kind: str, span: Span) -> list[tuple[str, Record]]:
        """The records of a stretch of keys. Raises StoreUnavailable: of those no copy is kept."""
        return self._gate.through(lambda: self._home.page(kind, span))

    def put_all(self, kind: str, values: Mapping[str, Record]) -> None:
        """Write all of these. Raises StoreUnavailable."""
        self._gate.through(lambda: self._home.put_all(kind, values))

    def prune(self, kind: str, before: str, limit: int) -> int:
        """Remove the first records up to a key. Raises StoreUnavailable."""
        return self._gate.through(lambda: self._home.prune(kind, before, limit))

    def drop(self, kind: str) -> None:
        """Remove every record of the kind. Raises StoreUnavailable."""
        self._gate.through(lambda: self._home.drop(kind))
        self._copies.pop(kind, None)

    def _keep(self, kind: str, key: str, value: Record) -> None:
        if OF_ONE in kind:
            return
        copies = self._copies.setdefault(kind, {})
        if key in copies or len(copies) < MAX_COPIES:
            copies[key] = value

    def _forget(self, kind: str, key: str) -> None:
        self._copies.get(kind, {}).pop(key, None)
