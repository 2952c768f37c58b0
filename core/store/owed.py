"""Owed: what a shared home is still to be told of what was taken and held there."""

from collections import deque
from collections.abc import Callable, Sequence

from core.errors import StoreUnavailable
from core.store.base import Window

MOST = 10_000
"""Far more than are under way at a time. Of even more the oldest stay as they were taken, until their window ends."""


class Untried(StoreUnavailable):
    """The home was not even asked, as it is known to be away or there was no connection to it."""


class Owed:
    """Corrections that were not made as the home was away: without them what was reserved would count as spent.

    And places that were left meanwhile, which would look held for as long as they were renewed for.
    """

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], None] = {}
        self._waiting: deque[tuple[tuple[Window, ...], float]] = deque(maxlen=MOST)

    def note(self, windows: Sequence[Window], at: float) -> None:
        """This was to be added to what was taken at `at`."""
        self._waiting.append((tuple(windows), at))

    def leave(self, name: str, owner: str) -> None:
        """This place was to be given back."""
        self._left[name, owner] = None
        if len(self._left) > MOST:
            self._left.pop(next(iter(self._left)), None)

    def stay(self, name: str, owner: str) -> None:
        """It is held again."""
        self._left.pop((name, owner), None)

    def give_back(self, unclaim: Callable[[str, str], object]) -> None:
        """Give all of these back, as far as the home answers; twice does no harm."""
        while self._left:
            place = next(iter(self._left))
            try:
                unclaim(*place)
            except StoreUnavailable:
                return
            self._left.pop(place, None)

    def pay(self, correct: Callable[[Sequence[Window], float], object]) -> None:
        """Make up for all of it, as far as the home answers; what it was asked without an answer it may have done."""
        while self._waiting:
            windows, at = self._waiting.popleft()
            try:
                correct(windows, at)
            except Untried:
                self._waiting.appendleft((windows, at))
                return
            except StoreUnavailable:
                return
