"""What is left of several credentials together."""

from collections.abc import Iterable

from core.credentials.member import Member
from schemas.limit import Capacity, LimitKind

REQUESTS: tuple[LimitKind, ...] = ("requests",)
PROMPT: tuple[LimitKind, ...] = ("tokens", "input_tokens")


def capacity_of(members: Iterable[Member], model: str, now: float, own: str | None = None) -> Capacity:
    """What is left of those that can be used for `model` now; nothing is left of the others.

    Of those that serve as many requests as they may only the limits are left. The request that asks, whose key is the
    one with the id `own`, is not among these: its slot is free again when its client has the answer.
    """
    ready, requests, tokens = 0, list[int](), list[int]()
    for member in members:
        is_ready = member.standing.state != "blacklisted" and member.opens_at(model, 0, now) <= now
        ready += is_ready and not _is_busy(member, own)
        limits = tuple(member.quota.left(now, model)) if member.quota.known else ()
        for kinds, found in ((REQUESTS, requests), (PROMPT, tokens)) if limits else ():
            left = [one.remaining for one in limits if one.kind in kinds]
            if left:
                found.append(min(left) if is_ready else 0)
    return Capacity(ready, sum(requests) if requests else None, sum(tokens) if tokens else None)


def _is_busy(member: Member, own: str | None) -> bool:
    slots = member.credential.slots
    return slots is not None and member.in_use - (member.id == own) >= slots
