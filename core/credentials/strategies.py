"""Which of several fit credentials is next."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """What a strategy looks at. `weight` is 1 or more, `in_use` the leases that run on any worker."""

    @property
    def id(self) -> str: ...

    @property
    def weight(self) -> int: ...

    @property
    def in_use(self) -> int: ...


C = TypeVar("C", bound=Candidate)


class Strategy(Protocol):
    """Picks one of at least one candidate; remembers its own picks only."""

    def pick(self, candidates: Sequence[C]) -> C:
        """The candidate to use now."""


class RoundRobin:
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


class LeastLoaded:
    """The one with the fewest leases in relation to its weight, the least recently picked of several."""

    def __init__(self) -> None:
        self._turns = 0
        self._picked: dict[str, int] = {}

    def pick(self, candidates: Sequence[C]) -> C:
        """The candidate with the smallest load."""
        chosen = min(candidates, key=lambda one: (one.in_use / one.weight, self._picked.get(one.id, 0)))
        self._turns += 1
        self._picked[chosen.id] = self._turns
        return chosen


STRATEGIES: Mapping[str, Callable[[], Strategy]] = {"round_robin": RoundRobin, "least_loaded": LeastLoaded}
