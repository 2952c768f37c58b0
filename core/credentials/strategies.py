"""Which of several fit credentials is next."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """What a strategy looks at. `weight` is 1 or more, `in_use` the leases that run on any worker, `priority` 0 goes
    first, and `used` is the share of its tightest limit that is used up, 0 when it has none."""

    @property
    def id(self) -> str: ...

    @property
    def weight(self) -> int: ...

    @property
    def in_use(self) -> int: ...

    @property
    def priority(self) -> int: ...

    @property
    def used(self) -> float: ...


C = TypeVar("C", bound=Candidate)


class Strategy(Protocol):
    """Picks one of at least one candidate; remembers its own picks only."""

    def pick(self, candidates: Sequence[C]) -> C:
        """The candidate to use now."""

    def goes_before(self, one: Candidate, other: Candidate) -> bool:
        """True when `other` is never picked while `one` is fit."""


class Level:
    """Of those to whom all fit candidates are equal."""

    def goes_before(self, one: Candidate, other: Candidate) -> bool:
        """Nobody goes before another."""
        return False


class RoundRobin(Level):
    """Each in turn, as often as its weight says, spread evenly (nginx's smooth weighted round robin)."""

    def __init__(self) -> None:
        self._credit: dict[str, int] = {}

    def pick(self, candidates: Sequence[C]) -> C:
        """The one with the most credit; everyone earns its weight, the chosen one pays what all earned."""
        for candidate in candidates:
            self._credit[candidate.id] = self._credit.get(candidate.id, 0) + candidate.weight
        chosen = max(candidates, key=lambda candidate: self._credit[candidate.id])
        self._credit[chosen.id] -= sum(candidate.weight for candidate in candidates)
        return chosen


class LeastLoaded(Level):
    """The one with the largest share of its limits left; then the one with the fewest leases in relation to its weight,
    the least recently picked of several."""

    def __init__(self) -> None:
        self._turns = 0
        self._picked: dict[str, int] = {}

    def pick(self, candidates: Sequence[C]) -> C:
        """The candidate with the smallest load."""
        chosen = min(candidates, key=lambda one: (one.used, one.in_use / one.weight, self._picked.get(one.id, 0)))
        self._turns += 1
        self._picked[chosen.id] = self._turns
        return chosen


class Weighted(Level):
    """Any, by chance, in proportion to the weights: workers need not agree on whose turn it is."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def pick(self, candidates: Sequence[C]) -> C:
        """A candidate drawn by lot."""
        return self._rng.choices(candidates, [candidate.weight for candidate in candidates])[0]


class Priority:
    """Those of the first rank in turn; the next rank only while none of it is fit."""

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def pick(self, candidates: Sequence[C]) -> C:
        """One of the candidates whose priority is the lowest number."""
        first = min(candidate.priority for candidate in candidates)
        return self._turns.pick([candidate for candidate in candidates if candidate.priority == first])

    def goes_before(self, one: Candidate, other: Candidate) -> bool:
        """The one with the lower number does."""
        return one.priority < other.priority


STRATEGIES: Mapping[str, Callable[[Random], Strategy]] = {
    "round_robin": lambda _: RoundRobin(),
    "least_loaded": lambda _: LeastLoaded(),
    "weighted": Weighted,
    "priority": lambda _: Priority(),
}
