"""What an error means for the credential it happened on."""

from dataclasses import dataclass, replace
from random import Random

from core.credentials.rest import MEMORY, Rest
from core.credentials.standing import Change, Standing
from core.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOutsidePlan,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamTokenExpired,
    UpstreamUnauthorized,
    UpstreamUnpaid,
    UpstreamUnreachable,
)
from schemas.limit import LimitFacts

LONGEST_BACKOFF = 60.0
LONGEST_REST = 32 * 86_400.0
HOUR = 3600.0
NEVER = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One row's meaning. `fault` puts the error on the credential's record; the rest is what follows from it.

    `counts`: one error in a row more. `told`: the error's `retry_after`, if any, is a cooldown, of `longest` seconds at
    most, as a provider in trouble does not know when that ends. `pause`: seconds of cooldown when nothing was told.
    `grows`: 1, 2, 4 … 60 seconds of cooldown when nothing was told. `blacklists`: out of use until a reset, unless a
    cooldown was told; a free probe may find it well again every `probe` seconds. `trial`: no free probe sees what is
    wrong, so that every `probe` seconds one request finds out instead. `outage`: it is as likely the provider's fault,
    so that it degrades the credential, but brings it nearer to blacklisted only while the provider works with another
    one. `reason` is what an operator reads.

    It is about the credential as a whole, unless `model`: about it and the model that was asked for. `account`: about
    all credentials of the same account. `limit`: about the account too, and where each model has limits of its own
    (LimitFacts) about that model alone. `refuses`: time alone does not mend it. `doubtful`: while the credential works
    for other models, it is as if it may not use this one.
    """

    fault: bool = True
    counts: bool = False
    told: bool = False
    pause: float = 0.0
    grows: bool = False
    blacklists: bool = False
    outage: bool = False
    model: bool = False
    account: bool = False
    limit: bool = False
    refuses: bool = False
    doubtful: bool = False
    probe: float = 6 * HOUR
    trial: bool = False
    longest: float = LONGEST_REST
    reason: str | None = None


NOTHING = Rule(fault=False)
ONE_ERROR = Rule(counts=True)
OUTAGE = Rule(counts=True, outage=True, told=True, longest=LONGEST_BACKOFF)
REFUSED_MODEL = Rule(fault=False, model=True, refuses=True, pause=HOUR, reason="may not use a model")
NO_MONEY = Rule(blacklists=True, account=True, probe=HOUR, trial=True, reason="out of money")

RULES: tuple[tuple[type[GatewayError], str | None, Rule], ...] = (
    (UpstreamTokenExpired, None, ONE_ERROR),
    (UpstreamUnauthorized, "account_deactivated", Rule(blacklists=True, account=True, reason="its account is locked")),
    (UpstreamUnauthorized, None, Rule(blacklists=True, reason="the provider refuses it")),
    (UpstreamForbidden, "upstream_human_check", Rule(counts=True, pause=300, reason="the site wants a human")),
    (UpstreamOutsidePlan, None, replace(REFUSED_MODEL, account=True)),
    (UpstreamForbidden, "model_not_found", REFUSED_MODEL),
    (UpstreamForbidden, None, ONE_ERROR),
    (UpstreamRateLimited, None, Rule(told=True, grows=True, limit=True, reason="rate limited")),
    (
        UpstreamQuotaExhausted,
        "usage_limit_reached",
        Rule(told=True, blacklists=True, account=True, limit=True, probe=HOUR, trial=True, reason="quota used up"),
    ),
    (
        UpstreamQuotaExhausted,
        "spend_limit_reached",
        Rule(told=True, blacklists=True, account=True, probe=HOUR, trial=True, reason="spending limit reached"),
    ),
    (
        UpstreamQuotaExhausted,
        "fair_use_limit",
        Rule(blacklists=True, account=True, probe=NEVER, reason="restricted for its use"),
    ),
    (UpstreamUnpaid, None, replace(NO_MONEY, doubtful=True)),
    (UpstreamQuotaExhausted, None, NO_MONEY),
    (UpstreamOverloaded, None, Rule(fault=False, model=True, told=True, grows=True, reason="a model is overloaded")),
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


@dataclass(frozen=True, slots=True)
class Reach:
    """What an error is about: one model or all, one credential or all of its account."""

    model: bool
    account: bool


def rule_for(error: GatewayError) -> Rule:
    """The row of the table that fits `error`."""
    return next(rule for kind, code, rule in RULES if isinstance(error, kind) and code in (None, error.code))


def reach_of(error: GatewayError, facts: LimitFacts) -> Reach:
    """How far `error` reaches at a provider with these facts."""
    rule = rule_for(error)
    return Reach(rule.model or (rule.limit and facts.per_model), rule.account or rule.limit)


def judge(
    error: GatewayError,
    standing: Standing,
    started_at: float,
    now: float,
    rng: Random,
    *,
    provider_works: bool = True,
    model: str | None = None,
    only_model: str = "",
) -> Change:
    """The evidence that `error`, on a lease taken at `started_at`, is against a credential of that standing.

    `provider_works` tells that another credential of the same provider has succeeded since this one last failed. With
    a `model` the cooldown is for that model alone; an empty one, of which nothing is known, cools nothing.
    `only_model` is the model that was asked for, if others work with this credential and it does not.

    Requests that ran at the same time are one incident, not errors in a row: those that were running when it became
    degraded do not push it on to blacklisted, and one burst of refusals doubles the cooldown only once.
    """
    rule = rule_for(error)
    if rule.doubtful and only_model:
        rule, model = REFUSED_MODEL, only_model
    if rule.model and model is None:
        model = ""
    if model is not None and (not rule.blacklists or _told(rule, error)):
        return _rests(rule, error, standing, model, now, rng)
    return _weighed(rule, error, standing, now, rng, counts=_counts(rule, standing, started_at, provider_works))


def _counts(rule: Rule, standing: Standing, started_at: float, provider_works: bool) -> bool:
    """True when it is one error in a row more."""
    degraded = standing.state == "degraded"
    same_incident = degraded and started_at < standing.failed_at
    blameless = rule.outage and degraded and not provider_works
    return rule.counts and not same_incident and not blameless


def _weighed(rule: Rule, error: GatewayError, standing: Standing, now: float, rng: Random, *, counts: bool) -> Change:
    """What it means for the credential as a whole."""
    same_burst = standing.cooldown_until > now
    cooldown = _cooldown(rule, error, standing.throttles - same_burst, rng)
    blacklists = rule.blacklists and not cooldown
    every = rule.probe if counts or blacklists else NEVER
    return Change(
        epoch=standing.epoch,
        errors=int(counts),
        failed_at=now if counts else 0.0,
        throttles=int(rule.grows and not same_burst),
        cooldown_until=now + cooldown if cooldown else 0.0,
        blacklisted=blacklists,
        reason=_reason(rule, error),
        probe_at=now + every if every != NEVER else 0.0,
        probe_every=every,
        trial=blacklists and rule.trial,
    )


def _rests(rule: Rule, error: GatewayError, standing: Standing, model: str, now: float, rng: Random) -> Change:
    if not model:
        return Change(epoch=standing.epoch)
    before = standing.models.get(model)
    step = 0
    if before is not None and before.until + MEMORY > now:
        step = before.step + (before.until <= now)  # one burst is one step
    rest = Rest(now + _cooldown(rule, error, step, rng), step, refused=rule.refuses)
    return Change(epoch=standing.epoch, models={model: rest})


def _told(rule: Rule, error: GatewayError) -> float:
    told = error.retry_after if rule.told and error.retry_after and error.retry_after > 0 else 0.0
    return min(told, rule.longest)


def _cooldown(rule: Rule, error: GatewayError, throttles: int, rng: Random) -> float:
    return _told(rule, error) or (_backoff(throttles, rng) if rule.grows else rule.pause)


def _backoff(throttles: int, rng: Random) -> float:
    # The jitter only shortens, so that the bound holds; keys throttled together do not come back together.
    step = min(LONGEST_BACKOFF, 2.0 ** min(max(throttles, 0), 10))
    return step * (0.75 + rng.random() / 4)


def _reason(rule: Rule, error: GatewayError) -> str | None:
    return rule.reason or (f"errors in a row, the last: {error.code}" if rule.fault else None)
