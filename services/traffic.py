"""Traffic: how each provider has done lately, from what requests met with; no call is made for it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Record, Records
from schemas.outcome import Attempt
from services.reachability import NO_EVIDENCE

KIND = "traffic"
LATENCIES = 100
ERRORS = 10
SMOOTHING = 0.1
"""The weight of the newest latency in the moving average."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts since the records began, the moving average and the newest latencies (seconds to the first content), and
    the newest errors as `{"code", "model", "at"}`, oldest first."""

    successes: int = 0
    failures: int = 0
    average: float | None = None
    latencies: Sequence[float] = ()
    errors: Sequence[Mapping[str, Any]] = ()

    def plus(self, later: "Figures") -> "Figures":
        """Both as one."""
        return Figures(
            self.successes + later.successes,
            self.failures + later.failures,
            _smoothed(self.average, later.latencies),
            (*self.latencies, *later.latencies)[-LATENCIES:],
            sorted((*self.errors, *later.errors), key=itemgetter("at"))[-ERRORS:],
        )

    def percentile(self, share: float) -> float | None:
        """The latency that this share of the newest is within; None before the first."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class Traffic:
    """Adds up what all workers saw, the last second of the others aside."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, Figures] = {}
        self._news: dict[str, Figures] = {}

    def note(self, attempt: Attempt) -> None:
        """Count one that has just ended, of a request of whichever kind."""
        if attempt.error in NO_EVIDENCE:
            return
        if attempt.error is not None:
            error = {"code": attempt.error, "model": attempt.model, "at": self._clock.now()}
            seen = Figures(failures=1, errors=(error,))
        else:
            seconds = (attempt.first_content,) if attempt.first_content is not None else ()
            seen = Figures(successes=1, latencies=seconds)
        self._news[attempt.provider] = self._news.get(attempt.provider, Figures()).plus(seen)

    def of(self, provider: str) -> Figures:
        """All that is known of a provider."""
        known, news = self._known.get(provider), self._news.get(provider)
        return (known or Figures()).plus(news or Figures())

    def sync(self, records: Records) -> None:
        """Add this worker's news to what all know, and take that over; alone while the store is away."""
        for provider in list(self._news):
            news = self._news.pop(provider)
            try:
                self._known[provider] = _read(records.change(KIND, provider, partial(_added, news)))
            except StoreUnavailable:
                self._news[provider] = news.plus(self._news.get(provider, Figures()))
        try:
            self._known |= {provider: _read(record) for provider, record in records.all(KIND).items()}
        except StoreUnavailable:
            return


def _added(news: Figures, known: Record | None) -> Record:
    return asdict(_read(known).plus(news))


def _read(record: Record | None) -> Figures:
    return Figures(**record) if record else Figures()


def _smoothed(average: float | None, latencies: Sequence[float]) -> float | None:
    for seconds in latencies:
        average = seconds if average is None else average + SMOOTHING * (seconds - average)
    return average
