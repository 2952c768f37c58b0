"""Counters that live in this process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from core.store.base import Record, Room, Taken, Turn, Window, WindowKind
from core.store.meters import METERS, Fixed, Meter
from core.store.places import Places
from core.store.shelf import Shelf
from core.store.windows import check

_STEPS = 2
"""How many old keys are looked at for each new one: two keep the dead fewer than the living."""
Name = tuple[str, float, WindowKind]
"""A window is known by its key together with its length and kind, so one key may be limited per minute and per day."""


class MemoryCounters:
    """Exact windows with locks and places, for one process. What nobody uses is forgotten after its time."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._meters: OrderedDict[Name, Meter] = OrderedDict()
        self._locks: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._places = Places()
        self._shelf = Shelf()
        self._rooms: dict[str, Shelf] = {}

    def __len__(self) -> int:
        """How many windows, locks and names with places are kept."""
        return len(self._meters) + len(self._locks) + len(self._places)

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        """Count every window's cost, or none of them when one is full.

        `retry_after` of a cost above its limit, which is never granted, is the whole window. Raises ValueError for
        windows that make no sense.
        """
        check(windows)
        with self._mutex:
            self._sweep_meters(now, _STEPS * len(windows))
            pairs = [(window, self._current(window, now)) for window in windows]
            granted = all(not window.cost or meter.used + window.cost <= window.limit for window, meter in pairs)
            for window, meter in pairs if granted else ():
                if window.cost:
                    meter.add(window, now)
                    self._meters[_name(window)] = meter
            return Taken(granted, tuple(meter.read(window, now, granted) for window, meter in pairs))

    def correct(self, windows: Sequence[Window], at: float, now: float, *, alone: bool = False) -> None:
        """Add each window's cost, which may be negative here, to what was taken at `at`."""
        with self._mutex:
            for window in windows:
                meter = self._meters.get(_name(window))
                if meter is not None:
                    meter.refresh(window, now)
                    meter.correct(window, at, now)

    def told(self) -> dict[str, Record]:
        """The fixed windows, as records by name."""
        with self._mutex:
            fixed = {name: meter for name, meter in self._meters.items() if isinstance(meter, Fixed)}
            return {f"{seconds:g}:{key}": {"used": meter.used, "ends": meter.ends, "seconds": seconds}
                    for (key, seconds, _), meter in fixed.items()}  # fmt: skip

    def restore(self, told: Mapping[str, Record]) -> dict[str, Record]:
        """Go on with the fixed windows that another process told; returns what is understood of them."""
        for name, record in told.items():
            meter = Fixed()
            meter.used, meter.ends = float(record["used"]), float(record["ends"])
            self._meters[name.partition(":")[2], float(record["seconds"]), "fixed"] = meter
        return self.told()

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

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float, turn: Turn | None = None) -> bool:
        """Hold or renew one of `limit` places for `seconds`; False while others hold them all."""
        return self._places.claim(name, owner, limit, seconds, now, turn)

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""
        self._places.unclaim(name, owner)

    def held(self, name: str, now: float) -> int:
        """How many of the places under that name are held."""
        return self._places.count(name, now)

    def keep(self, texts: Mapping[str, str], seconds: float, now: float, room: Room | None = None) -> None:
        """Keep short texts under these names for `seconds`, or until room is needed."""
        if room is None:
            self._shelf.keep(texts, seconds, now)
        else:
            self._rooms.setdefault(room.name, Shelf()).keep(texts, seconds, now, room.max_bytes)

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which a text is kept, with it."""
        found: dict[str, str] = {}
        for shelf in (self._shelf, *self._rooms.values()):
            found |= shelf.kept([name for name in names if name not in found], now)
        return found

    def use(self, names: Sequence[str], room: str, now: float) -> None:
        """Let others of the room go first."""
        if room in self._rooms:
            self._rooms[room].kept(names, now)

    def _current(self, window: Window, now: float) -> Meter:
        meter = self._meters.get(_name(window)) or METERS[window.kind]()
        meter.refresh(window, now)
        return meter

    def _sweep_meters(self, now: float, steps: int) -> None:
        for _ in range(min(steps, len(self._meters))):
            name = next(iter(self._meters))
            if self._meters[name].over(now):
                del self._meters[name]
            else:
                self._meters.move_to_end(name)

    def _sweep_locks(self, now: float) -> None:
        for _ in range(min(_STEPS, len(self._locks))):
            name = next(iter(self._locks))
            if self._locks[name][1] <= now:
                del self._locks[name]
            else:
                self._locks.move_to_end(name)


def _name(window: Window) -> Name:
    return window.key, window.seconds, window.kind
