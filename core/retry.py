"""How long to wait before the next try."""

from random import Random


class Backoff:
    """Exponential with jitter: 0.5 s, 1 s, 2 s … up to `longest`, each shortened by up to a half."""

    def __init__(self, rng: Random, first: float = 0.5, longest: float = 8.0) -> None:
        self._rng = rng
        self._first = first
        self._longest = longest

    def seconds(self, failures: int) -> float:
        """The wait after that many failures in a row (1 for the first)."""
        full = min(self._longest, self._first * 2 ** max(0, failures - 1))
        return float(full * (1 - self._rng.random() / 2))
