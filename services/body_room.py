"""BodyRoom: how much memory the bodies of requests may take in one worker."""

from collections import deque
from collections.abc import Callable

from gevent.event import Event

from core.errors import Overloaded

COPIES = 3
"""How often a body is in memory until its answer begins: as it came, parsed, and as it is sent."""
SMALL_BYTES = 64 * 1024
"""Bodies up to this size are counted, but never wait."""
RETRY_SECONDS = 5.0


class BodyRoom:
    """Gives each body its place, in the order in which they came. One larger than all the room is let in alone."""

    def __init__(self, size: int, patience: float, refused: Callable[[], object] = bool) -> None:
        """`size` is in bytes; `patience` is the longest wait, in seconds; `refused` is told of those in vain."""
        self.size = size
        self.patience = patience
        self.held = 0
        self._large = 0
        self._refused = refused
        self._line: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """How many bodies wait for a place."""
        return len(self._line)

    def claim(self, length: int) -> "BodyPlace":
        """A place for a body of so many bytes. Raises Overloaded when there is none in time."""
        place = BodyPlace(self)
        place.grow(length)
        return place

    def take(self, amount: int, *, first: bool) -> None:
        """Wait for so much room, and have it; `first` says that it is the first of a large body."""
        wanted = _Waiting(amount, first)
        if self._fits(wanted) and not (first and self._line):
            self._admit(wanted)
            return
        # One that has a place already is let in first: others wait for what it holds.
        (self._line.append if first else self._line.appendleft)(wanted)
        try:
            come = wanted.come.wait(self.patience)
        except BaseException:
            self._leave(wanted)
            raise
        if not come:
            self._leave(wanted)
            self._refused()
            text = "Too many large requests are under way. Send this one again."
            raise Overloaded(text, retry_after=RETRY_SECONDS)

    def add(self, amount: int) -> None:
        """Count something that does not wait."""
        self.held += amount

    def give_back(self, amount: int, *, last: bool = False) -> None:
        """So much is free again; `last` says that a large body is gone."""
        self.held -= amount
        self._large -= last
        self._let_in()

    def _fits(self, wanted: "_Waiting") -> bool:
        alone = self._large == (0 if wanted.first else 1)
        return alone or self.held + wanted.amount <= self.size

    def _admit(self, wanted: "_Waiting") -> None:
        self.held += wanted.amount
        self._large += wanted.first

    def _leave(self, wanted: "_Waiting") -> None:
        if wanted.come.is_set():
            self.give_back(wanted.amount, last=wanted.first)
        else:
            self._line.remove(wanted)
            self._let_in()

    def _let_in(self) -> None:
        while self._line and self._fits(self._line[0]):
            wanted = self._line.popleft()
            self._admit(wanted)
            wanted.come.set()


class _Waiting:
    def __init__(self, amount: int, first: bool) -> None:
        self.amount, self.first = amount, first
        self.come = Event()


class BodyPlace:
    """The place of one body; `release` gives it back, and may be called twice."""

    __slots__ = ("_held", "_large", "_length", "_released", "_room")

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self._length = self._held = 0
        self._large = self._released = False

    def grow(self, length: int) -> None:
        """The body has, or will have, so many bytes. Raises Overloaded when there is no room for more of it in time."""
        if length <= self._length:
            return
        more = length * COPIES - self._held
        if length > SMALL_BYTES:
            self._room.take(more, first=not self._large)
            self._large = True
        else:
            self._room.add(more)
        self._length, self._held = length, self._held + more

    def answered(self) -> None:
        """The answer has begun: no other try will be made, so only what was parsed of the body is left."""
        if not self._released:
            freed, self._held = self._held - self._length, self._length
            self._room.give_back(freed)

    def release(self) -> None:
        """The answer is over."""
        if not self._released:
            self._released = True
            self._room.give_back(self._held, last=self._large)
