"""Places of which each name has a few, in this process."""

import threading
from collections import OrderedDict

_STEPS = 2
"""How many old names are looked at for each claim: two keep the dead fewer than the living."""


class Places:
    """Each place is held by one owner until its time is over; owners renew theirs for as long as they live."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held: OrderedDict[str, dict[str, float]] = OrderedDict()

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float) -> bool:
        """Hold or renew one of `limit` places for `seconds`; False while others hold them all."""
        with self._mutex:
            self._sweep(now)
            # A deadline far ahead is from before the machine's clock was set back.
            latest = now + 2 * seconds
            held = {one: until for one, until in self._held.get(name, {}).items() if now < until <= latest}
            granted = owner in held or len(held) < limit
            if granted:
                held[owner] = now + seconds
            self._held[name] = held
            return granted

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""
        with self._mutex:
            held = self._held.get(name, {})
            held.pop(owner, None)
            if not held:
                self._held.pop(name, None)

    def count(self, name: str, now: float) -> int:
        """How many places under that name are held."""
        with self._mutex:
            return sum(now < until for until in self._held.get(name, {}).values())

    def __len__(self) -> int:
        return len(self._held)

    def _sweep(self, now: float) -> None:
        for _ in range(min(_STEPS, len(self._held))):
            name = next(iter(self._held))
            if all(until <= now for until in self._held[name].values()):
                del self._held[name]
            else:
                self._held.move_to_end(name)
