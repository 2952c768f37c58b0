"""What was spent of one window, in this process: one class for each kind of window."""

from bisect import bisect_left
from collections import deque
from math import ceil
from operator import attrgetter
from typing import NamedTuple, Protocol

from core.store.base import Reading, Window, WindowKind

CROWDED = 32
"""From so many entries on, a log puts those of one tick together, so that it holds a bounded number of them."""
TICKS = 60
"""How many ticks a window has: by one of them at most is a crowded log late."""


class Meter(Protocol):
    """`refresh` comes first: the other methods look at what it leaves."""

    @property
    def used(self) -> float: ...

    def refresh(self, window: Window, now: float) -> None: ...

    def add(self, window: Window, now: float) -> None: ...

    def correct(self, window: Window, at: float, now: float) -> None: ...

    def read(self, window: Window, now: float, granted: bool) -> Reading: ...

    def over(self, now: float) -> bool: ...


class _Entry(NamedTuple):
    """One granted cost: when it stops counting, and the running total of the log without and with it."""

    expires: float
    before: int
    after: int


class Log:
    """What was granted in a sliding window, oldest first. The running total makes every question a subtraction."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: deque[_Entry] = deque()

    @property
    def used(self) -> float:
        """What counts now."""
        return self.entries[-1].after - self.entries[0].before if self.entries else 0

    def refresh(self, window: Window, now: float) -> None:
        """Forget what is over."""
        while self.entries and self.entries[0].expires <= now:
            self.entries.popleft()
        # A log from before the machine's clock was set back would block for as long as that was.
        if self.entries and self.entries[-1].expires > now + 2 * window.seconds:
            self.entries.clear()

    def add(self, window: Window, now: float) -> None:
        """Count the window's cost."""
        expires, before = now + window.seconds, 0
        if self.entries:
            last, tick = self.entries[-1], window.seconds / TICKS
            if len(self.entries) >= CROWDED:
                expires = ceil(expires / tick) * tick
            if len(self.entries) >= CROWDED and expires <= last.expires:
                self.entries[-1] = _Entry(last.expires, last.before, last.after + window.cost)
                return
            # The clock is read before the lock is held, so a time may be older than the one ahead of it.
            expires, before = max(expires, last.expires), last.after
        self.entries.append(_Entry(expires, before, before + window.cost))

    def correct(self, window: Window, at: float, now: float) -> None:
        """Add the window's cost to what was granted at `at`, if that still counts."""
        if at + window.seconds <= now:
            return
        place = bisect_left(self.entries, at + window.seconds, key=attrgetter("expires"))
        for index in range(place, len(self.entries)):
            expires, before, after = self.entries[index]
            shifted = before if index == place else before + window.cost
            self.entries[index] = _Entry(expires, shifted, after + window.cost)

    def read(self, window: Window, now: float, granted: bool) -> Reading:
        """What is left."""
        reset_after = self.entries[-1].expires - now if self.entries else 0.0
        return Reading(max(0, window.limit - int(self.used)), reset_after, 0.0 if granted else self._wait(window, now))

    def over(self, now: float) -> bool:
        """True when nothing of it counts any more."""
        return not self.entries or self.entries[-1].expires <= now

    def _wait(self, window: Window, now: float) -> float:
        missing = self.used + window.cost - window.limit
        if missing <= 0:
            return 0.0
        if window.cost > window.limit:
            return window.seconds
        first = bisect_left(self.entries, self.entries[0].before + missing, key=attrgetter("after"))
        return self.entries[first].expires - now


class Bucket:
    """What is missing in a bucket of `limit` units that fills up within the window's length."""

    __slots__ = ("at", "seconds", "used")

    def __init__(self) -> None:
        self.used = 0.0
        self.at = 0.0
        self.seconds = 0.0

    def refresh(self, window: Window, now: float) -> None:
        """Let flow in what has come since."""
        # One from before the machine's clock was set back is taken as full. A clock that is a little behind moves
        # nothing: what has flowed in once would flow in again.
        if self.at > now + window.seconds:
            self.used, self.at = 0.0, now
        self.used = max(0.0, self.used - self._inflow(window, now))
        self.at, self.seconds = max(self.at, now), window.seconds * max(1.0, self.used / window.limit)

    def add(self, window: Window, now: float) -> None:
        """Take the window's cost out."""
        self.used += window.cost

    def correct(self, window: Window, at: float, now: float) -> None:
        """Take more, or put back what was too much."""
        self.used = max(0.0, self.used + window.cost)

    def read(self, window: Window, now: float, granted: bool) -> Reading:
        """What is left."""
        rate = window.limit / window.seconds
        missing = 0.0 if granted else max(0.0, self.used + window.cost - window.limit)
        wait = self._after(missing / rate, now)
        if missing and window.cost > window.limit:
            wait = window.seconds
        return Reading(max(0, int(window.limit - self.used)), self._after(self.used / rate, now), wait)

    def over(self, now: float) -> bool:
        """True when it is full again, whatever its size is."""
        return self.used <= 0 or self.at + self.seconds <= now

    def _after(self, seconds: float, now: float) -> float:
        return self.at - now + seconds if seconds else 0.0

    def _inflow(self, window: Window, now: float) -> float:
        return max(0.0, now - self.at) * window.limit / window.seconds


class Fixed:
    """What was granted in the window of the clock that now is: the hour, the day in UTC."""

    __slots__ = ("ends", "used")

    def __init__(self) -> None:
        self.used = 0.0
        self.ends = 0.0

    def refresh(self, window: Window, now: float) -> None:
        """Begin anew in another window; the one that a clock a little ahead has begun goes on."""
        ends = now - now % window.seconds + window.seconds
        if not ends <= self.ends <= ends + window.seconds:
            self.used, self.ends = 0.0, ends

    def add(self, window: Window, now: float) -> None:
        """Count the window's cost."""
        self.used += window.cost

    def correct(self, window: Window, at: float, now: float) -> None:
        """Add the cost, if it belongs into this window."""
        if at >= self.ends - window.seconds:
            self.used = max(0.0, self.used + window.cost)

    def read(self, window: Window, now: float, granted: bool) -> Reading:
        """What is left."""
        left = self.ends - now
        full = self.used + window.cost > window.limit
        return Reading(window.limit - int(self.used), left, left if full and not granted else 0.0)

    def over(self, now: float) -> bool:
        """True when its window is."""
        return self.ends <= now


METERS: dict[WindowKind, type[Log | Bucket | Fixed]] = {"sliding": Log, "bucket": Bucket, "fixed": Fixed}
