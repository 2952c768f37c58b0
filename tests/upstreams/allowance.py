"""What an account may do in a minute: buckets that fill up all the time, and the headers that tell of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

MINUTE = 60.0


@dataclass
class Bucket:
    """Holds `limit` units at most, and gets as many in a minute."""

    limit: int
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._left, self._at = float(self.limit), self.clock()

    @property
    def left(self) -> float:
        """The units in it now; below zero when more were taken than there were."""
        now = self.clock()
        self._left = min(float(self.limit), self._left + (now - self._at) * self.limit / MINUTE)
        self._at = now
        return self._left

    def take(self, units: int) -> None:
        """Take units, also those that are not there."""
        self._left = self.left - units

    def wait(self, units: float) -> float:
        """Seconds until it holds so many."""
        return max(0.0, (units - self.left) * MINUTE / self.limit)


class Allowance:
    """The buckets of one account."""

    def __init__(self, requests: int, tokens: int, clock: Callable[[], float]) -> None:
        self.requests, self.tokens = Bucket(requests, clock), Bucket(tokens, clock)
        self._clock = clock

    def refused(self) -> int | None:
        """Whole seconds to wait when there is nothing left, else None; then one request is taken."""
        wait = max(self.requests.wait(1), self.tokens.wait(1))
        if wait > 0:
            return ceil(wait)
        self.requests.take(1)
        return None

    def anthropic_headers(self) -> Mapping[str, str]:
        """`anthropic-ratelimit-…`, whose times are moments."""
        told = {}
        for name, bucket in (("requests", self.requests), ("input-tokens", self.tokens)):
            full = datetime.fromtimestamp(self._clock() + bucket.wait(bucket.limit), UTC)
            told[f"anthropic-ratelimit-{name}-limit"] = str(bucket.limit)
            told[f"anthropic-ratelimit-{name}-remaining"] = str(max(0, int(bucket.left)))
            told[f"anthropic-ratelimit-{name}-reset"] = full.isoformat(timespec="seconds").replace("+00:00", "Z")
        return told

    def openai_headers(self) -> Mapping[str, str]:
        """`x-ratelimit-…`, whose times are durations as Go writes them."""
        told = {}
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            told[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
            told[f"x-ratelimit-remaining-{name}"] = str(max(0, int(bucket.left)))
            told[f"x-ratelimit-reset-{name}"] = _duration(bucket.wait(bucket.limit))
        return told


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    if minutes:
        return f"{minutes}m{rest / 1000:g}s"
    return f"{rest / 1000:g}s" if rest >= 1000 else f"{rest}ms"
