"""What every home refuses to be asked, and how to ask without taking anything."""

from collections.abc import Sequence

from core.store.base import Counters, Reading, Window

NEVER = Window("never", 0, 60.0, divided=False)
"""Has no room, so that nothing is taken of the windows beside it."""


def check(windows: Sequence[Window]) -> None:
    """Raise ValueError for a negative cost, an empty window, or one window named twice in the same call."""
    for window in windows:
        if window.cost < 0 or window.seconds <= 0:
            raise ValueError(f"window {window.key} has cost {window.cost} in {window.seconds} seconds")
    if len(windows) > 1 and len({(window.key, window.seconds, window.kind) for window in windows}) < len(windows):
        raise ValueError("a window may stand once in a call, or its costs would be granted side by side")


def look(counters: Counters, windows: Sequence[Window], now: float) -> tuple[Reading, ...]:
    """What is left in each window, and when its cost fits there (`retry_after` 0: now); nothing is taken."""
    return counters.take([*windows, NEVER], now).readings[:-1]
