"""What is held against a credential, in the form that workers merge."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from config.settings import TokenSettings
from core.credentials.rest import Rest, lasting
from core.credentials.states import move
from schemas.credential import CredentialState


@dataclass(frozen=True, slots=True)
class Standing:
    """The state that is agreed on. Errors and throttles count in a row; times are seconds since the epoch.

    `reason` is why it last fell from grace. `models` are those it is not used for, for a while. `probe_at` is when a
    blacklisted one may be asked again whether it works (0: never), `probe_every` the seconds between two times. On
    `trial` that is not asked for free, but found out by one request. `epoch` grows with every reset: evidence gathered
    in an earlier epoch is void.
    """

    state: CredentialState = "available"
    errors: int = 0
    throttles: int = 0
    cooldown_until: float = 0.0
    reason: str | None = None
    failed_at: float = 0.0
    cleared_at: float = 0.0
    epoch: int = 0
    models: Mapping[str, Rest] = field(default_factory=dict)
    probe_at: float = 0.0
    probe_every: float = 0.0
    trial: bool = False

    def ready(self, now: float, model: str = "") -> bool:
        """True when the credential may be chosen for `model`."""
        return self.state != "blacklisted" and self.ready_at(model) <= now

    def ready_at(self, model: str) -> float:
        """When the last cooldown that concerns `model` ends."""
        rest = self.models.get(model)
        return self.cooldown_until if rest is None else max(self.cooldown_until, rest.until)

    def cools(self, now: float) -> bool:
        """True when the credential will be ready by itself, whatever the model, but is not yet."""
        return self.cooldown_until > now and self.state != "blacklisted"

    def reset(self) -> "Standing":
        """A clean slate in a new epoch."""
        return Standing(state=move(self.state, "manual_reset"), epoch=self.epoch + 1)

    def repaired(self) -> "Standing":
        """In use again in a new epoch, as it was found to work; the deadlines that were told stay."""
        return replace(self.reset(), cooldown_until=self.cooldown_until, models=self.models)

    def due(self, now: float) -> bool:
        """True when it is out of use and may be asked again whether it works."""
        return self.state == "blacklisted" and 0 < self.probe_at <= now


@dataclass(frozen=True, slots=True)
class Change:
    """Evidence that is not in the agreed standing yet.

    `cleared_by` says what voided the errors before it; `errors` and `throttles` are those that came after.
    """

    epoch: int = 0
    cleared_by: Literal["complete", "health_check_passed"] | None = None
    cleared_at: float = 0.0
    errors: int = 0
    failed_at: float = 0.0
    throttles: int = 0
    cooldown_until: float = 0.0
    blacklisted: bool = False
    reason: str | None = None
    models: Mapping[str, Rest] = field(default_factory=dict)
    probe_at: float = 0.0
    probe_every: float = 0.0
    trial: bool = False

    @property
    def weighs(self) -> bool:
        """True when it says something against the credential."""
        return self.blacklisted or self.errors > 0 or self.cooldown_until > 0 or bool(self.models)

    def then(self, later: "Change") -> "Change":
        """Both as one. Of two epochs only the later evidence counts."""
        if later.epoch != self.epoch:
            return later
        clears = later.cleared_by is not None
        return Change(
            epoch=self.epoch,
            cleared_by=later.cleared_by or self.cleared_by,
            cleared_at=max(self.cleared_at, later.cleared_at),
            errors=later.errors if clears else self.errors + later.errors,
            failed_at=max(self.failed_at, later.failed_at),
            throttles=later.throttles if clears else self.throttles + later.throttles,
            cooldown_until=max(self.cooldown_until, later.cooldown_until),
            blacklisted=self.blacklisted or later.blacklisted,
            reason=self.reason if self.blacklisted else later.reason or self.reason,
            models=lasting(self.models, later.models),
            probe_at=later.probe_at if later.blacklisted > self.blacklisted else max(self.probe_at, later.probe_at),
            probe_every=self.probe_every if self.blacklisted else later.probe_every or self.probe_every,
            trial=self.trial or later.trial,
        )


def apply(standing: Standing, change: Change, settings: TokenSettings) -> Standing:
    """The standing once `change` is counted in.

    Deadlines only move later. A success voids only errors that are not newer than itself, and errors older than a
    success that is already counted are void, so the order in which workers report does not matter. Evidence from
    another epoch is void as a whole. A blacklisted credential keeps the reason it was blacklisted for.
    """
    if change.epoch != standing.epoch:
        return standing
    clears = change.cleared_by is not None and change.cleared_at >= standing.failed_at
    blacklisted = standing.state == "blacklisted"
    errors = 0 if clears else standing.errors
    if change.failed_at >= standing.cleared_at:
        errors += change.errors
    return replace(
        standing,
        state=_state(standing, change, clears, errors, settings),
        errors=errors,
        throttles=change.throttles + (0 if clears else standing.throttles),
        cooldown_until=max(standing.cooldown_until, change.cooldown_until),
        reason=standing.reason if blacklisted else change.reason or standing.reason,
        failed_at=max(standing.failed_at, change.failed_at),
        cleared_at=max(standing.cleared_at, change.cleared_at),
        models=lasting(standing.models, change.models),
        probe_at=change.probe_at if change.blacklisted > blacklisted else max(standing.probe_at, change.probe_at),
        probe_every=standing.probe_every if blacklisted else change.probe_every or standing.probe_every,
        trial=standing.trial or change.trial,
    )


def _state(standing: Standing, change: Change, clears: bool, errors: int, settings: TokenSettings) -> CredentialState:
    state = standing.state
    if clears and change.cleared_by:
        state = move(state, change.cleared_by)
    if change.blacklisted or errors >= settings.max_errors:
        return move(state, "max_errors")
    return move(state, "error_threshold") if errors >= settings.error_threshold else state
