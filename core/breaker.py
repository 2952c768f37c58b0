"""The circuit breaker: when a target that fails is left alone, and when it is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

OF_ALL_MODELS = (UpstreamUnreachable,)
"""Those among them that are of a provider whichever model was asked for; what an answer tells, or that none comes, may
be the one model's."""

OF_ONE_MODEL = (UpstreamOverloaded,)
"""Those among them that say nothing of the provider's other models, however many of them are so."""

WHOLE = ""
"""The name of the part where a failure is of all that a circuit is for."""

MOST_PARTS = 16
"""So many that fail are taken for all of it."""

MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Count:
    """Calls of one stretch of time that began at `since`, and its failures by part."""

    since: float = 0.0
    calls: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one target, or of a provider, whose parts are its models; times are seconds since the epoch.

    `in_a_row` are the failures since the last success, `failed` those by part since it opened, too. `opened` counts
    how often it was opened without a success between, `changed_at` is when it last opened or closed, `reason` the code
    of the failure that opened it. `now` and `before` count the two halves of the window.
    """

    state: CircuitState = "closed"
    in_a_row: int = 0
    opened: int = 0
    open_until: float = 0.0
    changed_at: float = 0.0
    reason: str | None = None
    failed: Mapping[str, int] = field(default_factory=dict)
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
        counted = _counted(self, now, settings)
        if self.state == "closed":
            return replace(counted, in_a_row=0, failed={}) if self.in_a_row else counted
        return closed(now) if began >= self.changed_at else self

    def failure(self, code: str, began: float, now: float, settings: CircuitSettings, part: str = WHOLE) -> "Circuit":
        """After a call that `began` then and failed with `code`, an outage, of that part of what the circuit is for.

        What fails in one part alone opens nothing, nor does it keep a half-open circuit from those parts that work.
        """
        current = self.at(now)
        if current.state != "closed" and began < self.changed_at:
            return self
        counted = _counted(current, now, settings, part)
        counted = replace(counted, in_a_row=self.in_a_row + 1, failed=_plus(self.failed, part))
        event: Event = "limit" if _too_many(counted, settings) else "failure"
        if event == "failure" and not _weight(counted.failed):
            return counted
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
        failed={},
        now=Count(now),
        before=Count(),
    )


def _too_many(circuit: Circuit, settings: CircuitSettings) -> bool:
    calls = circuit.now.calls + circuit.before.calls
    in_window = dict(circuit.before.failed)
    for part, times in circuit.now.failed.items():
        in_window[part] = in_window.get(part, 0) + times
    share = calls >= settings.min_calls and _weight(in_window) >= settings.failure_share * calls
    return share or _weight(circuit.failed) >= settings.failures


def _weight(failed: Mapping[str, int]) -> int:
    """How many of these failures count for the whole.

    None while they are all of one part; then of the part that failed most, one more than those of all others together.
    """
    parts = [times for part, times in failed.items() if part != WHOLE]
    others = sum(parts) - max(parts, default=0)
    return failed.get(WHOLE, 0) + (min(sum(parts), 2 * others + 1) if others else 0)


def _plus(failed: Mapping[str, int], part: str) -> Mapping[str, int]:
    name = part if part in failed or len(failed) < MOST_PARTS else WHOLE
    return {**failed, name: failed.get(name, 0) + 1}


def _counted(circuit: Circuit, now: float, settings: CircuitSettings, failed: str | None = None) -> Circuit:
    """The circuit with one call more in its window, which `failed` in that part."""
    half, count, before = settings.window / 2, circuit.now, circuit.before
    if now >= count.since + half or now < count.since:
        before = count if count.since <= now < count.since + 2 * half else Count()
        count = Count(now)
    parts = count.failed if failed is None else _plus(count.failed, failed)
    return replace(circuit, now=Count(count.since, count.calls + 1, parts), before=before)
