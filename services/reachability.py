"""Reachability: what traffic and the prober have shown of each provider lately."""

from dataclasses import asdict, dataclass
from functools import partial

from core.clock import Clock
from core.errors import OURS, StoreUnavailable
from core.store.base import Record, Records

PROVIDERS_FAULT = frozenset({"upstream_unreachable", "upstream_timeout", "upstream_broken", "upstream_server_error"})
NO_EVIDENCE = frozenset(one.code for one in OURS)
"""Ends of an attempt that say nothing of its provider: the client left, the fault was ours, or we end."""

KIND = "reachability"
FRESH_SECONDS = 300.0
"""What was seen longer ago says nothing of now."""


@dataclass(slots=True)
class Evidence:
    """Times (seconds since the epoch) of the newest success and the newest failure, and what that failure was."""

    succeeded: float | None = None
    failed: float | None = None
    error: str | None = None

    @property
    def reachable(self) -> bool | None:
        """True, False, or None while nothing is known."""
        if self.failed is None:
            return None if self.succeeded is None else True
        return self.succeeded is not None and self.succeeded >= self.failed

    @property
    def newest(self) -> float:
        """When something was last seen; 0 for never."""
        return max(self.succeeded or 0.0, self.failed or 0.0)

    def joined(self, other: "Evidence") -> "Evidence":
        """The newest of both."""
        succeeded = max(self.succeeded or 0.0, other.succeeded or 0.0) or None
        later = self if (self.failed or 0.0) >= (other.failed or 0.0) else other
        return Evidence(succeeded, later.failed, later.error)


class Reachability:
    """Learns from every attempt on any worker; never makes a call of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._evidence: dict[str, Evidence] = {}
        self._news: set[str] = set()

    def note(self, provider: str, error: str | None) -> None:
        """An answer of any kind means that the provider was reached; `error` is the code of a failure."""
        if error in NO_EVIDENCE:
            return
        self._news.add(provider)
        evidence = self._evidence.setdefault(provider, Evidence())
        if error in PROVIDERS_FAULT:
            evidence.failed, evidence.error = self._clock.now(), error
        else:
            evidence.succeeded = self._clock.now()

    def of(self, provider: str) -> Evidence:
        """What is known of a provider, if it was seen lately."""
        evidence = self._evidence.get(provider, Evidence())
        return evidence if evidence.newest > self._clock.now() - FRESH_SECONDS else Evidence()

    def sync(self, records: Records) -> None:
        """Share what this worker has seen and take over what the others have; alone while the store is away."""
        news, self._news = self._news, set()
        try:
            for provider in news:
                records.change(KIND, provider, partial(_joined, self._evidence[provider]))
            found = records.all(KIND)
        except StoreUnavailable:
            self._news |= news
            return
        for provider, record in found.items():
            self._evidence[provider] = self._evidence.get(provider, Evidence()).joined(_read(record))


def _joined(own: Evidence, known: Record | None) -> Record:
    return asdict(own.joined(_read(known)))


def _read(record: Record | None) -> Evidence:
    return Evidence(**record) if record else Evidence()
