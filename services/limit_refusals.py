"""What a caller is told when a limit has no room for a request."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BudgetExceeded, RateLimited
from core.pricing import NANO
from core.store.base import Reading
from schemas.money import spelled
from services.bounds import HOUR, Bound, Scope, moment
from services.hold import Part

WHOSE: Mapping[Scope, str] = {
    "key": "this key",
    "ip": "this address",
    "global": "all callers together",
    "model": "the model {name}",
    "provider": "the provider {name}",
}


def refusal_of(parts: Sequence[Part], now: float) -> RateLimited:
    """The error for a request for which one of these, at least, has no room: what is in its way for longest."""
    part = foremost(parts)
    return refusal(part.bound, part.reading, part.cost, now)


def foremost(parts: Sequence[Part]) -> Part:
    """That of the parts without room which is in the way for longest."""
    return max(parts, key=lambda part: (part.reading.remaining < part.cost, part.reading.retry_after))


def refusal(bound: Bound, reading: Reading, cost: int, now: float) -> RateLimited:
    """The error for a request that would have cost `cost` of the bound's unit."""
    return _budget(bound, reading, cost, now) if bound.unit == "usd" else _rate(bound, reading, cost)


def _rate(bound: Bound, reading: Reading, cost: int) -> RateLimited:
    whose = WHOSE[bound.scope].format(name=bound.name)
    details: dict[str, Any] = {
        "scope": bound.scope,
        "name": bound.name,
        "unit": bound.unit,
        "limit": bound.limit,
        "remaining": reading.remaining,
        "requested": cost,
        "window_seconds": bound.seconds,
    }
    limit = f"Rate limit reached for {whose}: {bound.limit} {bound.unit} per minute"
    if cost > bound.limit:
        error = RateLimited(f"{limit}, and this request alone has {cost}.", code="request_too_large", details=details)
        error.retryable = False
        return error
    wait = reading.retry_after
    details["opens_in_seconds"] = round(wait, 3)
    return RateLimited(f"{limit}. Please try again in {wait:.3g}s.", retry_after=wait, details=details)


def _budget(bound: Bound, reading: Reading, cost: int, now: float) -> BudgetExceeded:
    window = "hourly" if bound.seconds == HOUR else "daily"
    spent, limit = bound.spent(reading) / NANO, bound.limit / NANO
    resets = moment(bound.ends_at(now))
    whose = WHOSE[bound.scope].format(name=bound.name)
    message = (
        f"The {window} budget of {whose} has no room for this request: ${spelled(spent)} of ${spelled(limit)} are "
        f"spent or reserved, and it may cost ${spelled(cost / NANO)}. There is more at {resets}."
    )
    fits = cost <= bound.limit
    if not fits:
        message = (
            f"This request may cost ${spelled(cost / NANO)}, and the whole {window} budget of {whose} is "
            f"${spelled(limit)}: ask for a shorter answer."
        )
    details = {
        "scope": bound.scope,
        "name": bound.name,
        "unit": "usd",
        "window": window,
        "window_seconds": bound.seconds,
        "spent_usd": spent,
        "limit_usd": limit,
        "requested_usd": cost / NANO,
        "resets_at": resets,
        "resets_in_seconds": round(bound.ends_at(now) - now, 3),
    }
    return BudgetExceeded(message, retry_after=bound.ends_at(now) - now if fits else None, details=details)
