"""BudgetWatch: what was last seen of each budget, for the warning ahead of its end and for landing softly."""

from collections.abc import Iterable

import structlog

from config.settings import CostBudgetSettings
from core.clock import Clock
from core.pricing import NANO
from core.store.base import Counters, Reading
from services.bounds import HOUR, Bound, Scope, moment
from services.telemetry import Telemetry

MAX_SEEN = 10_000
"""Budgets beyond this many, of callers that were not seen for longest, are forgotten until they are seen again."""


class BudgetWatch:
    """Warns once for each budget and window, over all workers."""

    def __init__(
        self, counters: Counters, settings: CostBudgetSettings, telemetry: Telemetry, clock: Clock, worker_id: str
    ) -> None:
        self._counters = counters
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._worker_id = worker_id
        self._used: dict[tuple[Scope, str, float], tuple[float, float]] = {}
        self._warned: dict[tuple[Scope, str, float], float] = {}
        self._log = structlog.get_logger(__name__)

    def configure(self, settings: CostBudgetSettings) -> None:
        """Watch these from now on. What is known of other budgets says nothing any more."""
        if settings != self._settings:
            self._settings = settings
            self._used = {key: (0.0, ends) for key, (_, ends) in self._used.items()}

    def see(self, readings: Iterable[tuple[Bound, Reading]], now: float) -> None:
        """Take note of what is left of those that are budgets."""
        for bound, reading in readings:
            if bound.unit != "usd":
                continue
            used, key = bound.used(reading), (bound.scope, bound.id, bound.seconds)
            self._used.pop(key, None)
            self._used[key] = (used, bound.ends_at(now))
            if len(self._used) > MAX_SEEN:
                self._used.pop(next(iter(self._used)))
            if used >= self._settings.warn_at:
                self._warn(bound, reading, now)

    def shift(self, changes: Iterable[tuple[Bound, int]], at: float) -> None:
        """Take note that what was reserved at `at` has become more by so much, or less."""
        for bound, change in changes:
            key = bound.scope, bound.id, bound.seconds
            used, ends = self._used.get(key, (0.0, 0.0))
            if bound.unit == "usd" and ends == bound.ends_at(at):
                self._used[key] = max(0.0, used + change / bound.limit), ends

    def share(self, bounds: Iterable[Bound]) -> float:
        """The share that is used up of the one of these budgets of which most is, as far as this worker has seen."""
        now, shares = self._clock.now(), [0.0]
        for bound in bounds:
            used, ends = self._used.get((bound.scope, bound.id, bound.seconds), (0.0, 0.0))
            shares.append(used if ends > now else 0.0)
        return max(shares)

    def gauge(self) -> None:
        """Tell the metrics how full the fullest budget of each scope is: every second."""
        now, fullest = self._clock.now(), dict[tuple[str, str], float]()
        for (scope, _, seconds), (used, ends) in self._used.items():
            label = scope, "hour" if seconds == HOUR else "day"
            fullest[label] = max(fullest.get(label, 0.0), used if ends > now else 0.0)
        self._telemetry.budgets(fullest)

    def _warn(self, bound: Bound, reading: Reading, now: float) -> None:
        key, ends = (bound.scope, bound.id, bound.seconds), bound.ends_at(now)
        if self._warned.get(key) == ends:
            return
        self._warned[key] = ends
        if len(self._warned) > MAX_SEEN:
            self._warned.pop(next(iter(self._warned)))
        name = f"budget:{bound.scope}:{bound.id}:{bound.seconds:g}:{ends:.0f}"
        if self._counters.lock(name, self._worker_id, ends - now, now):
            spent = bound.spent(reading) / NANO
            self._log.warning(
                "budget_nearly_spent",
                scope=bound.scope,
                name=bound.name,
                id=bound.id,
                window="hourly" if bound.seconds == HOUR else "daily",
                spent_usd=spent,
                limit_usd=bound.limit / NANO,
                share=round(bound.used(reading), 4),
                resets_at=moment(ends),
            )
