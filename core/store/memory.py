"""Counters that live in this process."""

import threading
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from core.store.base import Reading, Taken, Window
from core.store.places import Places
from core.store.shelf import Shelf
from core.store.windows import check

_STEPS = 2
"""How many old keys are looked at for each new one: two keep the dead fewer than the living."""


class _Entry(NamedTuple):
    """One granted cost: when it stops counting, and the running total of the log without and with it."""

    expires: float
    before: int
    after: int


class _Log:
    """What was granted in one window, oldest first. The running total makes every question a subtraction."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: deque[_Entry] = deque()

    @property
    def used(self) -> int:
        return self.entries[-1].after - self.entries[0].before if self.entries else 0

    def trim(self, now: float) -> None:
        while self.entries and self.entries[0].expires <= now:
            self.entries.popleft()

    def forget_future(self, now: float, seconds: float) -> None:
        """Drop a log from before the machine's clock was set back, which would block for as long as that was."""
        if self.entries and self.entries[-1].expires > now + 2 * seconds:
            self.entries.clear()

    def add(self, window: Window, now: float) -> None:
        expires, before = now + window.seconds, 0
        if self.entries:
            # The clock is read before the lock is held, so a time may be older than the one ahead of it.
            expires, before = max(expires, self.entries[-1].expires), self.entries[-1].after
        self.entries.append(_Entry(expires, before, before + window.cost))

    def read(self, window: Window, now: float, granted: bool) -> Reading:
        reset_after = self.entries[-1].expires - now if self.entries else 0.0
        return Reading(max(0, window.limit - self.used), reset_after, 0.0 if granted else self._wait(window, now))

    def _wait(self, window: Window, now: float) -> float:
        missing = self.used + window.cost - window.limit
        if missing <= 0:
            return 0.0
        if window.cost > window.limit:
            return window.seconds
        first = bisect_left(self.entries, self.entries[0].before + missing, key=attrgetter("after"))
        return self.entries[first].expires - now


class MemoryCounters:
    """Exact sliding windows with locks and places, for one process. What nobody uses is forgotten after its time.

    A window is known by its key together with its length, so one key may be limited per minute and per day.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._logs: OrderedDict[tuple[str, float], _Log] = OrderedDict()
        self._locks: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._places = Places()
        self._shelf = Shelf()

    def __len__(self) -> int:
        """How many windows, locks and names with places are kept."""
        return len(self._logs) + len(self._locks) + len(self._places)

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        """Count every window's cost, or none of them when one is full.

        `retry_after` of a cost above its limit, which is never granted, is the whole window. Raises ValueError for
        windows that make no sense.
        """
        check(windows)
        with self._mutex:
            self._sweep_logs(now, _STEPS * len(windows))
            logs = [self._current(window, now) for window in windows]
            granted = all(log.used + window.cost <= window.limit for window, log in zip(windows, logs, strict=True))
            if granted:
                self._add(windows, logs, now)
            return Taken(
                granted, tuple(log.read(window, now, granted) for window, log in zip(windows, logs, strict=True))
            )

    def lock(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Hold or renew the named lock for `seconds`; False while another owner holds it."""
        with self._mutex:
            self._sweep_locks(now)
            holder, deadline = self._locks.get(name, (owner, now))
            if holder != owner and deadline > now:
                return False
            self._locks[name] = (owner, now + seconds)
            return True

    def unlock(self, name: str, owner: str) -> None:
        """Give the lock back if `owner` still holds it."""
        with self._mutex:
            if self._locks.get(name, ("", 0.0))[0] == owner:
                del self._locks[name]

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float) -> bool:
        """Hold or renew one of `limit` places for `seconds`; False while others hold them all."""
        return self._places.claim(name, owner, limit, seconds, now)

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""
        self._places.unclaim(name, owner)

    def keep(self, texts: Mapping[str, str], seconds: float, now: float) -> None:
        """Keep short texts under these names for `seconds`, or until room is needed."""
        self._shelf.keep(texts, seconds, now)

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which a text is kept, with it."""
        return self._shelf.kept(names, now)

    def _current(self, window: Window, now: float) -> _Log:
        log = self._logs.get((window.key, window.seconds))
        if log is None:
            return _Log()
        log.trim(now)
        log.forget_future(now, window.seconds)
        return log

    def _add(self, windows: Sequence[Window], logs: Sequence[_Log], now: float) -> None:
        for window, log in zip(windows, logs, strict=True):
            if window.cost:
                log.add(window, now)
                self._logs[window.key, window.seconds] = log

    def _sweep_logs(self, now: float, steps: int) -> None:
        for _ in range(min(steps, len(self._logs))):
            name = next(iter(self._logs))
            log = self._logs[name]
            if not log.entries or log.entries[-1].expires <= now:
                del self._logs[name]
            else:
                self._logs.move_to_end(name)

    def _sweep_locks(self, now: float) -> None:
        for _ in range(min(_STEPS, len(self._locks))):
            name = next(iter(self._locks))
            if self._locks[name][1] <= now:
                del self._locks[name]
            else:
                self._locks.move_to_end(name)
