"""How often and how long a call is tried."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` tries over all gateways and models.

    Before a place is asked once more there is a wait of `first_wait` seconds that doubles each time, up to
    `longest_wait`, less up to a half by chance; a longer `Retry-After` is heeded instead. A gateway that failed is
    asked last for `rest` seconds.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 20.0
    rest: float = 30.0

    def wait(self, step: int, rng: Random) -> float:
        """Seconds before round number `step`, from 0."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(step, 20)) * (1 - rng.random() / 2)
