"""How long to wait before the next try, and how many there may be in all."""

from collections import deque
from random import Random

from core.clock import Clock


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


class RetryBudget:
    """Bounds second and later tries to `least`, and a `share` of the requests, in any ten seconds of one worker.

    Without it an outage would multiply the load just when there is least to spare.
    """

    SECONDS = 10

    def __init__(self, share: float, least: int, clock: Clock) -> None:
        self._share = share
        self._least = least
        self._clock = clock
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def configure(self, share: float, least: int) -> None:
        """Go by these bounds from now on; what was tried already counts."""
        self._share = share
        self._least = least

    def request(self) -> None:
        """A request came in."""
        self._requests.append(self._clock.monotonic())
        self._trim()

    def allows(self) -> bool:
        """True while one try more fits."""
        self._trim()
        return len(self._retries) + 1 <= self._least + self._share * len(self._requests)

    def take(self) -> bool:
        """True when a request may be tried once more, which then counts."""
        allowed = self.allows()
        if allowed:
            self._retries.append(self._clock.monotonic())
        return allowed

    def _trim(self) -> None:
        since = self._clock.monotonic() - self.SECONDS
        for times in (self._requests, self._retries):
            while times and times[0] <= since:
                times.popleft()
