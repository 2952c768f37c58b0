"""The counters of a shared home, which go on in this process while it is away."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.errors import StoreUnavailable
from core.store.base import Counters, Room, Taken, Turn, Window, share_of
from core.store.gate import Gate
from core.store.memory import MemoryCounters
from core.store.owed import Owed, Untried


class ResilientCounters:
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
