"""BodyRoom: how much memory the bodies of requests may take in one worker."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from gevent.event import Event

from core.clock import Clock
from core.errors import Overloaded

COPIES = 3
"""How often a body is in memory until its answer begins: as it came, parsed, and as it is sent."""
SMALL_BYTES = 64 * 1024
"""Bodies up to this size are counted, but never wait."""
RETRY_SECONDS = 5.0
LOOK_SECONDS = 0.1
"""How often one that waits for other workers looks whether they are done."""


class Turn(Protocol):
    """What one worker may have at a time."""

    def take(self) -> bool:
        """True when this one has it now, or had it before."""

    def leave(self) -> None:
        """Another one may have it; does nothing when this one has not."""


class NoTurn:
    """For one that shares its memory with nobody."""

    def take(self) -> bool:
        """Nobody else wants it."""
        return True

    def leave(self) -> None:
        """Nobody waits."""


class BodyRoom:
    """Gives each body its place, in the order in which they came.

    One that is too large for it is let in when no other large one waits for its answer, here or in any other worker.
    """

    def __init__(
        self,
        size: int,
        patience: float,
        clock: Clock,
        refused: Callable[[], object] = bool,
        turn: Turn | None = None,
    ) -> None:
        """`size` is in bytes; `patience` is the longest wait, in seconds; `refused` is told of those in vain.

        Of the workers that share the machine's memory, only the one whose `turn` it is may go beyond its size.
        """
        self.size = size
        self.patience = patience
        self.held = 0
        self._large = self._kept = 0
        self._beyond: BodyPlace | None = None
        self._clock = clock
        self._refused = refused
        self._turn = turn or NoTurn()
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

    def take(self, amount: int, place: "BodyPlace", *, first: bool) -> None:
        """Wait for so much more room for `place`, and have it; `first` says that it is the first of a large body."""
        wanted = _Waiting(amount, place, first)
        if not (first and self._line) and self._fits(wanted):
            self._admit(wanted)
            return
        # One that has a place already is let in first: others wait for what it holds.
        (self._line.append if first else self._line.appendleft)(wanted)
        try:
            come = self._wait(wanted)
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

    def answered(self, freed: int, kept: int, place: "BodyPlace") -> None:
        """A large body has its answer: so much of it is free again, and so much is kept until that ends."""
        self._kept += kept
        self.give_back(freed, place, last=True)

    def give_back(self, amount: int, place: "BodyPlace", *, last: bool = False, kept: int = 0) -> None:
        """So much is free again; `last` is a large body that goes unanswered, `kept` what was of an answered one."""
        self._beyond = None if self._beyond is place else self._beyond
        self.held -= amount
        self._large -= last
        self._kept -= kept
        if self.held <= self.size or (not self._large and self._kept <= self.size):
            self._turn.leave()
        self._let_in()

    def _wait(self, wanted: "_Waiting") -> bool:
        until = self._clock.monotonic() + self.patience
        while (left := until - self._clock.monotonic()) > 0:
            wanted.come.wait(min(LOOK_SECONDS, left))
            if wanted.come.is_set():
                return True
            self._let_in()  # nobody tells when other workers have gone
        return bool(wanted.come.is_set())

    def _fits(self, wanted: "_Waiting") -> bool:
        if self.held + wanted.amount <= self.size:
            return True
        # Small ones are let in without asking: that there are many of them must not shut out the rest for ever.
        alone = not self._large and self._kept <= self.size
        # Of those that fill the room together and all need more, one goes on: none would else.
        next_one = self._beyond in (None, wanted.place)
        return (alone if wanted.first else next_one) and self._turn.take()

    def _admit(self, wanted: "_Waiting") -> None:
        self.held += wanted.amount
        self._large += wanted.first
        if self.held > self.size:
            self._beyond = wanted.place

    def _leave(self, wanted: "_Waiting") -> None:
        if wanted.come.is_set():
            self.give_back(wanted.amount, wanted.place, last=wanted.first)
        else:
            self._line.remove(wanted)
            self._let_in()

    def _let_in(self) -> None:
        while self._line and self._fits(self._line[0]):
            wanted = self._line.popleft()
            self._admit(wanted)
            wanted.come.set()


class _Waiting:
    def __init__(self, amount: int, place: "BodyPlace", first: bool) -> None:
        self.amount, self.place, self.first = amount, place, first
        self.come = Event()


class BodyPlace:
    """The place of one body; `release` gives it back, and may be called twice."""

    __slots__ = ("_held", "_kept", "_large", "_length", "_released", "_room", "_wide")

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self._length = self._wide = self._held = self._kept = 0
        self._large = self._released = False

    def grow(self, length: int) -> None:
        """The body has, or will have, so many bytes. Raises Overloaded when there is no room for more of it in time."""
        if length <= self._length:
            return
        self._take(length * COPIES - self._held, large=length > SMALL_BYTES)
        self._length = length

    def widen(self, amount: int) -> None:
        """What was parsed of the body takes so many bytes more. Raises Overloaded when there is no room in time."""
        if amount:
            self._take(amount, large=self._large)
            self._wide = amount

    def _take(self, more: int, *, large: bool) -> None:
        if large:
            self._room.take(more, self, first=not self._large)
            self._large = True
        else:
            self._room.add(more)
        self._held += more

    def answered(self) -> None:
        """The answer has begun: no other try will be made, so only what was parsed of the body is left."""
        if self._released:
            return
        left = self._length + self._wide
        freed, self._held = self._held - left, left
        if self._large:
            self._large, self._kept = False, left
            self._room.answered(freed, left, self)
        else:
            self._room.give_back(freed, self)

    def release(self) -> None:
        """The answer is over."""
        if not self._released:
            self._released = True
            self._room.give_back(self._held, self, last=self._large, kept=self._kept)
