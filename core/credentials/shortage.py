"""Which error it is when no credential can be had."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from core.credentials.member import Member
from core.errors import CredentialsExhausted, GatewayError, NoCredentials


def shortage(provider: str, members: Sequence[Member], exclude: Collection[str], now: float) -> GatewayError:
    """The error to raise when none of `members` outside `exclude` is ready.

    CredentialsExhausted when waiting helps: what is left cools down, or everything not blacklisted does. NoCredentials
    when it does not, or when this request has tried all there are.
    """
    if not members:
        return NoCredentials(f"Provider {provider} has no credential.", details={"provider": provider, "tokens": 0})
    usable = [member for member in members if member.standing.state != "blacklisted"]
    cooling = [member for member in usable if member.standing.cools(now)]
    if cooling and (len(cooling) == len(usable) or any(member.id not in exclude for member in cooling)):
        return _all_cool(provider, members, cooling, now)
    return _all_tried(provider, members, usable) if usable else _all_blacklisted(provider, members)


def _all_cool(provider: str, members: Sequence[Member], cooling: Sequence[Member], now: float) -> CredentialsExhausted:
    until = min(member.standing.cooldown_until for member in cooling)
    moment = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
    return CredentialsExhausted(
        f"{len(cooling)} of {len(members)} credentials of provider {provider} cool down, none is left;"
        f" the first is back at {moment}.",
        retry_after=until - now,
        details={"provider": provider, "tokens": len(members), "cooling_down": len(cooling), "until": moment},
    )


def _all_tried(provider: str, members: Sequence[Member], usable: Sequence[Member]) -> NoCredentials:
    return NoCredentials(
        f"This request has tried every usable credential of provider {provider}.",
        details={"provider": provider, "tokens": len(members), "tried": len(usable)},
    )


def _all_blacklisted(provider: str, members: Sequence[Member]) -> NoCredentials:
    reasons = sorted({member.standing.reason or "unknown" for member in members})
    return NoCredentials(
        f"Every credential of provider {provider} is blacklisted ({'; '.join(reasons)}) and none comes back by itself;"
        " an operator resets one with POST /v1/tokens/{id}/reset.",
        details={"provider": provider, "tokens": len(members), "blacklisted": len(members), "reasons": reasons},
    )
