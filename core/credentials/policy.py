"""What an error means for the credential it happened on."""

from dataclasses import dataclass
from random import Random

from core.credentials.standing import Change, Standing
from core.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamTokenExpired,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)

LONGEST_BACKOFF = 60.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One row's meaning. `fault` puts the error on the credential's record; the rest is what follows from it.

    `counts`: one error in a row more. `told`: the error's `retry_after`, if any, is a cooldown. `pause`: seconds of
    cooldown when nothing was told. `grows`: 1, 2, 4 … 60 seconds of cooldown when nothing was told. `blacklists`: out
    of use until a manual reset, unless a cooldown was told. `outage`: it is as likely the provider's fault, so that it
    degrades the credential, but brings it nearer to blacklisted only while the provider works with another one.
    `reason` is what an operator reads.
    """

    fault: bool = True
    counts: bool = False
    told: bool = False
    pause: float = 0.0
    grows: bool = False
    blacklists: bool = False
    outage: bool = False
    reason: str | None = None


NOTHING = Rule(fault=False)
ONE_ERROR = Rule(counts=True)
OUTAGE = Rule(counts=True, outage=True)

RULES: tuple[tuple[type[GatewayError], str | None, Rule], ...] = (
    (UpstreamTokenExpired, None, ONE_ERROR),
    (UpstreamUnauthorized, None, Rule(blacklists=True, reason="the provider refuses it")),
    (UpstreamForbidden, "upstream_human_check", Rule(counts=True, pause=300, reason="the site wants a human")),
    (UpstreamForbidden, "model_not_found", NOTHING),
    (UpstreamForbidden, None, ONE_ERROR),
    (UpstreamRateLimited, None, Rule(told=True, grows=True, reason="rate limited")),
    (UpstreamQuotaExhausted, None, Rule(told=True, blacklists=True, reason="out of money")),
    (UpstreamOverloaded, None, NOTHING),
    (UpstreamUnreachable, None, OUTAGE),
    (UpstreamTimeout, None, OUTAGE),
    (UpstreamBroken, None, OUTAGE),
    (UpstreamServerError, None, OUTAGE),
    (UpstreamError, None, ONE_ERROR),
    (GatewayError, None, NOTHING),
)
"""Class, code (None: any), rule; the first row that fits wins.

A key that may not use one model is sound for the others, else a caller could blacklist it by asking for that model.
"""


def rule_for(error: GatewayError) -> Rule:
    """The row of the table that fits `error`."""
    return next(rule for kind, code, rule in RULES if isinstance(error, kind) and code in (None, error.code))


def judge(
    error: GatewayError, standing: Standing, started_at: float, now: float, rng: Random, *, provider_works: bool = True
) -> Change:
    """The evidence that `error`, on a lease taken at `started_at`, is against a credential of that standing.

    `provider_works` tells that another credential of the same provider has succeeded since this one last failed.

    Requests that ran at the same time are one incident, not errors in a row: those that were running when it became
    degraded do not push it on to blacklisted, and one burst of refusals doubles the cooldown only once.
    """
    rule = rule_for(error)
    same_incident = standing.state == "degraded" and started_at < standing.failed_at
    blameless = rule.outage and standing.state == "degraded" and not provider_works
    counts = rule.counts and not same_incident and not blameless
    same_burst = standing.cooldown_until > now
    cooldown = _cooldown(rule, error, standing.throttles - same_burst, rng)
    return Change(
        epoch=standing.epoch,
        errors=int(counts),
        failed_at=now if counts else 0.0,
        throttles=int(rule.grows and not same_burst),
        cooldown_until=now + cooldown if cooldown else 0.0,
        blacklisted=rule.blacklists and not cooldown,
        reason=_reason(rule, error, cooldown),
    )


def _cooldown(rule: Rule, error: GatewayError, throttles: int, rng: Random) -> float:
    if rule.told and error.retry_after and error.retry_after > 0:
        return error.retry_after
    return _backoff(throttles, rng) if rule.grows else rule.pause


def _backoff(throttles: int, rng: Random) -> float:
    # The jitter only shortens, so that the bound holds; keys throttled together do not come back together.
    step = min(LONGEST_BACKOFF, 2.0 ** min(max(throttles, 0), 10))
    return step * (0.75 + rng.random() / 4)


def _reason(rule: Rule, error: GatewayError, cooldown: float) -> str | None:
    if rule.blacklists and cooldown:
        return "quota used up"
    return rule.reason or (f"errors in a row, the last: {error.code}" if rule.fault else None)
