"""Places of which each name has a few, in this process."""

import threading
from collections import OrderedDict
from typing import NamedTuple

from core.store.base import Turn

_STEPS = 2
"""How many old names are looked at for each claim: two keep the dead fewer than the living."""


class _Waiting(NamedTuple):
    """One that stands in line `since` then, and if it does not ask again `until` then."""

    since: float
    until: float


class Places:
    """Each place is held by one owner until its time is over; owners renew theirs for as long as they live."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._lines: dict[str, dict[str, _Waiting]] = {}

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float, turn: Turn | None = None) -> bool:
        """Hold or renew one of `limit` places for `seconds`; False while others hold them all, or stand in line."""
        with self._mutex:
            self._sweep(now)
            # A deadline far ahead is from before the machine's clock was set back.
            latest = now + 2 * seconds
            held = {one: until for one, until in self._held.get(name, {}).items() if now < until <= latest}
            granted = owner in held or len(held) + self._ahead(name, turn, now) < limit
            self._line_up(name, turn, now, granted=granted)
            if granted:
                held[owner] = now + seconds
            self._held[name] = held
            return granted

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""
        with self._mutex:
            held = self._held.get(name, {})
            held.pop(owner, None)
            if not held and name not in self._lines:
                self._held.pop(name, None)

    def count(self, name: str, now: float) -> int:
        """How many places under that name are held."""
        with self._mutex:
            return sum(now < until for until in self._held.get(name, {}).values())

    def __len__(self) -> int:
        return len(self._held)

    def _ahead(self, name: str, turn: Turn | None, now: float) -> int:
        """How many others stand in line for longer."""
        if turn is None:
            return 0
        line = {who: one for who, one in self._lines.get(name, {}).items() if now < one.until <= now + 2 * turn.seconds}
        self._set_line(name, line)
        return sum(who != turn.who and (not turn.waits or one.since < turn.since) for who, one in line.items())

    def _line_up(self, name: str, turn: Turn | None, now: float, *, granted: bool) -> None:
        if turn is None:
            return
        line = {who: one for who, one in self._lines.get(name, {}).items() if who != turn.who or not granted}
        if turn.waits and not granted:
            line[turn.who] = _Waiting(turn.since, now + turn.seconds)
        self._set_line(name, line)

    def _set_line(self, name: str, line: dict[str, _Waiting]) -> None:
        if line:
            self._lines[name] = line
        else:
            self._lines.pop(name, None)

    def _sweep(self, now: float) -> None:
        for _ in range(min(_STEPS, len(self._held))):
            name = next(iter(self._held))
            waiting = [one.until for one in self._lines.get(name, {}).values()]
            if all(until <= now for until in (*self._held[name].values(), *waiting)):
                del self._held[name]
                self._lines.pop(name, None)
            else:
                self._held.move_to_end(name)
