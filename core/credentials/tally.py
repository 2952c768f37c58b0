"""What a credential has done so far, as sums that workers add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

RECENT = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of leases that were given back; `recent` is the newest outcomes, "1" for good, "0" for bad, oldest first.

    `requests` also counts those that say nothing about the credential (a client that left, a wrong request), so it may
    be more than successes and failures together. `seconds` is the sum over successes and failures. `cost` is in USD,
    None while no price was ever known.
    """

    requests: int = 0
    successes: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    errors: Mapping[str, int] = field(default_factory=dict)
    recent: str = ""

    def plus(self, later: "Tally") -> "Tally":
        """The sum of both."""
        return Tally(
            requests=self.requests + later.requests,
            successes=self.successes + later.successes,
            failures=self.failures + later.failures,
            input_tokens=self.input_tokens + later.input_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            cost=add_costs(self.cost, later.cost),
            seconds=self.seconds + later.seconds,
            errors=_add_counts(self.errors, later.errors),
            recent=(self.recent + later.recent)[-RECENT:],
        )

    @property
    def mean_seconds(self) -> float | None:
        """How long a request held the credential on average; None before the first."""
        count = self.successes + self.failures
        return self.seconds / count if count else None

    @property
    def recent_success_rate(self) -> float | None:
        """The share of good ones among the newest outcomes; None before the first."""
        return self.recent.count("1") / len(self.recent) if self.recent else None


def add_costs(first: float | None, second: float | None) -> float | None:
    """The sum of what is known; None when nothing is."""
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _add_counts(first: Mapping[str, int], second: Mapping[str, int]) -> Mapping[str, int]:
    if not second:
        return first
    return {**first, **{kind: first.get(kind, 0) + count for kind, count in second.items()}}
