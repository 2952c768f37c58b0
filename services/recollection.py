"""Recollection: what is kept for a while for the requests to come, in one trip to the store at most."""

from collections.abc import Iterable, Mapping

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Counters, Room
from core.store.shelf import Shelf

LOCAL_BYTES = 16 * 1024 * 1024
ABSENT = ""
"""Stands on the shelf for what nobody has kept, as nobody keeps an empty text."""


class Recollection:
    """Shared by all workers, with this worker's own copy in front; whatever is lost may be asked for again."""

    def __init__(self, counters: Counters, clock: Clock, local_bytes: int = LOCAL_BYTES) -> None:
        self._counters = counters
        self._clock = clock
        self._local = Shelf(local_bytes)

    def resize(self, local_bytes: int) -> None:
        """So much of it is copied to this worker from now on."""
        self._local.resize(local_bytes)

    def find(self, names: Mapping[str, float]) -> dict[str, str]:
        """Those of the names under which something is kept, with it.

        Each name comes with how long, in seconds, what is found, or that nothing is, may be believed without asking
        again.
        """
        now = self._clock.now()
        found = self._local.kept(list(names), now)
        missing = [name for name in names if name not in found]
        if missing:
            shared = self._shared(missing, now)
            for name in missing:
                self._local.keep({name: shared.get(name, ABSENT)}, names[name], now)
            found |= shared
        return {name: text for name, text in found.items() if text != ABSENT}

    def knows(self, name: str) -> bool:
        """True when this worker has a copy of what is kept under the name."""
        return self._local.kept([name], self._clock.now()).get(name, ABSENT) != ABSENT

    def keep(
        self, texts: Mapping[str, str], seconds: float, believed: float | None = None, room: Room | None = None
    ) -> None:
        """Keep these for `seconds`; this worker believes its own copy for `believed` seconds, as long unless given.

        `room` bounds what all workers keep together.
        """
        if not texts:
            return
        now = self._clock.now()
        self._local.keep(texts, seconds if believed is None else believed, now)
        try:
            self._counters.keep(texts, seconds, now, room)
        except StoreUnavailable:
            return

    def use(self, name: str, room: str) -> None:
        """Say that a text of this room was of use, so that others go first."""
        try:
            self._counters.use([name], room, self._clock.now())
        except StoreUnavailable:
            return

    def forget(self, names: Iterable[str]) -> None:
        """Keep nothing under these names any more."""
        self.keep(dict.fromkeys(names, ABSENT), 1.0)

    def _shared(self, names: list[str], now: float) -> dict[str, str]:
        try:
            return self._counters.kept(names, now)
        except StoreUnavailable:
            return {}
