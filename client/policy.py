"""How often and how long a call is tried."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` tries over all gateways and models.

    Before a place is asked once more there is a wait of `first_wait` seconds that doubles each time, up to
    `longest_wait`, less up to a half by chance; it begins when a `Retry-After` is over, so that many workers that were
    told the same do not come at once. A gateway that failed is asked last for `rest` seconds. With
    `elsewhere_when_spent` a request that meets a spent budget goes to another model or gateway, if there is one.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 20.0
    rest: float = 30.0
    elsewhere_when_spent: bool = True

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.first_wait, self.longest_wait, self.rest) < 0:
            raise ValueError("there must be at least one try, and no wait may be negative")

    def wait(self, step: int, rng: Random) -> float:
        """Seconds before round number `step`, from 0."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(step, 20)) * (1 - rng.random() / 2)
