"""Which error it is when no credential can be had."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.credentials.member import Member
from core.errors import CredentialsExhausted, GatewayError, ModelNotEntitled, NoCredentials, SlotsBusy


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a lease is asked for: the upstream model ("" for any), the tokens of its prompt, and whom to leave out.

    `free`: the limits of answers do not count it, and it finds out nothing about the credential.
    """

    exclude: Collection[str] = frozenset()
    model: str = ""
    tokens: int = 0
    free: bool = False


def shortage(provider: str, members: Sequence[Member], wanted: Wanted, now: float) -> GatewayError:
    """The error to raise when none of `members` is fit.

    CredentialsExhausted when waiting helps: what is left cools down or has used up its limits, or everything not
    blacklisted does. NoCredentials when it does not, or when this request has tried all there are.
    """
    if not members:
        return NoCredentials(f"Provider {provider} has no credential.", details={"provider": provider, "tokens": 0})
    usable = [member for member in members if member.standing.state != "blacklisted"]
    back = {member.id: member.opens_at(wanted.model, wanted.tokens, now) for member in usable}
    waiting = [member for member in usable if back[member.id] > now]
    if waiting and (len(waiting) == len(usable) or any(member.id not in wanted.exclude for member in waiting)):
        if all(_refused(member, wanted.model, now) for member in waiting):
            return _not_entitled(provider, members)
        cooling = sum(member.standing.ready_at(wanted.model) > now for member in waiting)
        what = "cool down" if cooling == len(waiting) else "cool down or have used up their limits"
        return _all_wait(provider, members, len(waiting), what, min(back[member.id] for member in waiting), now)
    return _all_tried(provider, members, usable) if usable else _all_blacklisted(provider, members)


def opens_in(members: Iterable[Member], wanted: Wanted, now: float) -> float | None:
    """Seconds until the first of `members` may be asked; None when none comes back by itself.

    Of one that serves as many requests as it may, that is about when the next of them ends.
    """
    usable = (member for member in members if member.standing.state != "blacklisted")
    waits = [
        max(member.opens_at(wanted.model, wanted.tokens, now) - now, _slot_wait(member))
        for member in usable
        if member.id not in wanted.exclude and not _refused(member, wanted.model, now)
    ]
    return min(waits, default=None)


def all_busy(provider: str, busy: Sequence[Member]) -> SlotsBusy:
    """The error to raise when `busy` are fit, but serve as many requests as they may."""
    return SlotsBusy(
        f"{len(busy)} credentials of provider {provider} serve as many requests at a time as they may.",
        retry_after=min(map(_usual_wait, busy)),
        details={"provider": provider, "tokens": len(busy), "slots": sum(one.credential.slots or 0 for one in busy)},
    )


def _slot_wait(member: Member) -> float:
    slots = member.credential.slots
    return 0.0 if slots is None or member.in_use < slots else _usual_wait(member)


def _usual_wait(member: Member) -> float:
    return min(60.0, max(1.0, member.mean_seconds or 1.0))


def _refused(member: Member, model: str, now: float) -> bool:
    rest = member.standing.models.get(model)
    return rest is not None and rest.refused and rest.until > now


def _all_wait(
    provider: str, members: Sequence[Member], waiting: int, what: str, until: float, now: float
) -> CredentialsExhausted:
    moment = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
    return CredentialsExhausted(
        f"{waiting} of {len(members)} credentials of provider {provider} {what}, none is left;"
        f" the first is back at {moment}.",
        retry_after=until - now,
        details={"provider": provider, "tokens": len(members), "cooling_down": waiting, "until": moment},
    )


def _not_entitled(provider: str, members: Sequence[Member]) -> ModelNotEntitled:
    return ModelNotEntitled(
        f"No credential of provider {provider} that is left may use this model.",
        details={"provider": provider, "tokens": len(members)},
    )


def _all_tried(provider: str, members: Sequence[Member], usable: Sequence[Member]) -> NoCredentials:
    return NoCredentials(
        f"This request has tried every usable credential of provider {provider}.",
        details={"provider": provider, "tokens": len(members), "tried": len(usable)},
    )


def _all_blacklisted(provider: str, members: Sequence[Member]) -> NoCredentials:
    reasons = sorted({member.standing.reason or "unknown" for member in members})
    return NoCredentials(
        f"Every credential of provider {provider} is blacklisted ({'; '.join(reasons)}). One comes back once it is"
        " found to work again, or when an operator resets it with POST /v1/tokens/{id}/reset.",
        details={"provider": provider, "tokens": len(members), "blacklisted": len(members), "reasons": reasons},
    )
