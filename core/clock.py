"""Time as a parameter."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time and nothing that waits."""

    def now(self) -> float:
        """Seconds since the epoch: for deadlines that are shared or survive a restart."""

    def monotonic(self) -> float:
        """Seconds that never go back: for durations within one process."""


class SystemClock:
    """The machine's own clocks."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
