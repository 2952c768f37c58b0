"""The circuit breaker: when a target that fails is left alone, and when it is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from config.settings import CircuitSettings
from core.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamOverloaded,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnreachable,
)

CircuitState = Literal["closed", "half_open", "open"]
Event = Literal["success", "failure", "limit", "wait_over", "reset"]

TRANSITIONS: Mapping[CircuitState, Mapping[Event, CircuitState]] = {
    "closed": {"success": "closed", "failure": "closed", "limit": "open", "wait_over": "closed", "reset": "closed"},
    "open": {"success": "closed", "failure": "open", "limit": "open", "wait_over": "half_open", "reset": "closed"},
    "half_open": {"success": "closed", "failure": "open", "limit": "open", "wait_over": "half_open", "reset": "closed"},
}
"""What follows from what. `limit` is the failure that is one too many; `wait_over` means that it was open for long
enough. A closed circuit lets everything through, an open one nothing, a half-open one a single request."""

OUTAGES = (UpstreamUnreachable, UpstreamTimeout, UpstreamBroken, UpstreamServerError, UpstreamOverloaded)
"""Failures that are the provider's own; of what is wrong with a request or a key no circuit takes notice."""

OF_ONE_MODEL = (UpstreamOverloaded,)
"""Those among them that say nothing of the provider's other models."""

MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Count:
    """Calls and failures of one stretch of time that began at `since`."""

    since: float = 0.0
    calls: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one target; times are seconds since the epoch.

    `in_a_row` are the failures since the last success, `opened` counts how often it was opened without a success
    between, `changed_at` is when it last opened or closed, `reason` the code of the failure that opened it. `now` and
    `before` count the two halves of the window.
    """

    state: CircuitState = "closed"
    in_a_row: int = 0
    opened: int = 0
    open_until: float = 0.0
    changed_at: float = 0.0
    reason: str | None = None
    now: Count = Count()
    before: Count = Count()

    def at(self, now: float) -> "Circuit":
        """The circuit as it is at `now`, when its wait may be over."""
        if self.state == "open" and now >= self.open_until:
            return replace(self, state=TRANSITIONS[self.state]["wait_over"])
        return self

    def wait(self, now: float) -> float:
        """Seconds until it lets a request through; 0 when it is not open."""
        return max(0.0, self.open_until - now) if self.state == "open" else 0.0

    def success(self, began: float, now: float, settings: CircuitSettings) -> "Circuit":
        """After a call that `began` then and brought content. One that began before the circuit opened says nothing."""
        counted = _counted(self, now, settings, failed=False)
        if self.state == "closed":
            return replace(counted, in_a_row=0) if self.in_a_row else counted
        return closed(now) if began >= self.changed_at else self

    def failure(self, code: str, began: float, now: float, settings: CircuitSettings) -> "Circuit":
        """After a call that `began` then and failed with `code`, an outage."""
        current = self.at(now)
        if current.state != "closed" and began < self.changed_at:
            return self
        counted = replace(_counted(current, now, settings, failed=True), in_a_row=self.in_a_row + 1)
        event: Event = "limit" if _too_many(counted, settings) else "failure"
        state = TRANSITIONS[current.state][event]
        # While it is open only a sole target is still asked, whose failures prove nothing new.
        return counted if state == current.state else _opened(counted, state, code, now, settings)


def closed(now: float) -> Circuit:
    """A circuit that was closed just now, with nothing held against it."""
    return Circuit(changed_at=now)


def outage(error: GatewayError) -> bool:
    """True for a failure that counts."""
    return isinstance(error, OUTAGES)


def _opened(circuit: Circuit, state: CircuitState, code: str, now: float, settings: CircuitSettings) -> Circuit:
    seconds = settings.open_seconds * 2 ** min(circuit.opened, MOST_DOUBLINGS)
    return replace(
        circuit,
        state=state,
        opened=circuit.opened + 1,
        open_until=now + min(seconds, settings.max_open_seconds),
        changed_at=now,
        reason=code,
        now=Count(now),
        before=Count(),
    )


def _too_many(circuit: Circuit, settings: CircuitSettings) -> bool:
    calls = circuit.now.calls + circuit.before.calls
    failures = circuit.now.failures + circuit.before.failures
    share = calls >= settings.min_calls and failures >= settings.failure_share * calls
    return share or circuit.in_a_row >= settings.failures


def _counted(circuit: Circuit, now: float, settings: CircuitSettings, *, failed: bool) -> Circuit:
    half, count, before = settings.window / 2, circuit.now, circuit.before
    if now >= count.since + half or now < count.since:
        before = count if count.since <= now < count.since + 2 * half else Count()
        count = Count(now)
    return replace(circuit, now=Count(count.since, count.calls + 1, count.failures + failed), before=before)
