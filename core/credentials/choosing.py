"""Which credential a lease is on: the fit ones, whose turn it is among them, and whether it has a slot free."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.credentials.fair_queue import FairQueue, Ticket
from core.credentials.member import Member
from core.credentials.permits import Permits
from core.credentials.quota import Reserved
from core.credentials.shortage import Wanted, all_busy, shortage
from core.credentials.slots import Slots
from core.credentials.strategies import Strategy
from core.errors import GatewayError
from schemas.credential import CredentialState


@dataclass(frozen=True, slots=True)
class Chosen:
    """A member that is selected, with what is reserved of it, and the name of its slot if it has slots.

    `overflows`: the one that was preferred is as fit, and only serves as many requests as it may.
    """

    member: Member
    reserved: Reserved
    slot: str | None = None
    overflows: bool = False


@dataclass(frozen=True, slots=True)
class Homeward:
    """What may be taken instead of the preferred credential, as the strategy never takes that while this is fit.

    `left` is the id of the one that the conversation came from, and whose cache it has still; `anyone` is true when
    the cache where it is now is worth no more than a better credential.
    """

    left: str | None = None
    anyone: bool = False


ORDER: tuple[CredentialState, ...] = ("blacklisted", "available", "degraded")
WARM_ORDER: tuple[CredentialState, ...] = ("available", "degraded", "blacklisted")

BEHIND_SECONDS = 1.0
"""How often those look at the keys who others go before."""

AT_HOME = Homeward()
"""Nothing is taken instead."""


class Candidate:
    """A member as a strategy sees it, for one model at one time."""

    __slots__ = ("_model", "_now", "id", "in_use", "member", "priority", "weight")

    def __init__(self, member: Member, model: str, now: float) -> None:
        self.member = member
        self.id = member.id
        self.weight = member.credential.weight
        self.priority = member.credential.priority
        self.in_use = member.in_use
        self._model = model
        self._now = now

    @property
    def used(self) -> float:
        """The share of its tightest limit that is used up."""
        return self.member.used(self._model, self._now)


class Choice:
    """One search through the members of a pool; `prefer` is taken when it is as fit as the others.

    A credential without a free slot, or whose minute is over as all workers together have used it, is passed over for
    another; a slot that somebody waits for is theirs.
    """

    def __init__(self, provider: str, strategy: Strategy, slots: Slots, permits: Permits, queue: FairQueue) -> None:
        self._provider = provider
        self._strategy = strategy
        self._slots = slots
        self._permits = permits
        self._queue = queue

    def choose(
        self,
        members: Mapping[str, Member],
        wanted: Wanted,
        now: float,
        prefer: str | None,
        ticket: Ticket | None,
        homeward: Homeward = AT_HOME,
    ) -> Chosen:
        """The credential to use now. Raises what `shortage` says, or SlotsBusy when only slots are missing."""
        self._look_again(members, ticket, now)
        fit = _fit(members, wanted, now)
        if not fit:
            raise shortage(self._provider, list(members.values()), wanted, now)
        if ticket is not None:
            ticket.wants = frozenset(member.id for member in fit)
        overflows, busy = False, self._busy(fit, ticket)
        for group in _ranked(fit, warm=prefer is not None):
            # The preferred one is looked at all the same, as it tells whether another one only stands in for it.
            free = [one for one in group if one.id not in busy or one.id == prefer]
            for member in self._in_turn([Candidate(one, wanted.model, now) for one in free], prefer, homeward):
                chosen = None if member.id in busy else self._taken(member, wanted, ticket, now)
                if chosen is not None:
                    return replace(chosen, overflows=overflows)
                overflows = overflows or (member.id == prefer and not member.quota.is_closed(now))
        # Only slots are missing of those that are still fit, after what others took meanwhile.
        fit = _fit(members, wanted, now)
        if not fit:
            raise shortage(self._provider, list(members.values()), wanted, now)
        all_taken = all_busy(self._provider, fit)
        if ticket is not None:
            ticket.busy, ticket.look_at = all_taken, now + BEHIND_SECONDS
        raise all_taken

    def hindrance(self, members: Mapping[str, Member], wanted: Wanted, now: float) -> GatewayError | None:
        """What `choose` would raise that no wait in the queue helps against; None when a credential can be had.

        Takes nothing, and knows of the slots that other workers hold as of about a second ago.
        """
        fit = _fit(members, wanted, now)
        if not fit:
            return shortage(self._provider, list(members.values()), wanted, now)
        busy = all(one.credential.slots is not None and one.in_use >= one.credential.slots for one in fit)
        return all_busy(self._provider, fit) if busy and self._queue.is_full else None

    def _look_again(self, members: Mapping[str, Member], ticket: Ticket | None, now: float) -> None:
        """Raises what the ticket was told a moment ago, while what it waits for is taken by those who go before.

        Of many who wait for many keys only those in front look at everything all the time.
        """
        if ticket is None or ticket.busy is None or ticket.look_at <= now:
            return
        wanted = [members[ident] for ident in ticket.wants if ident in members]
        if len(self._busy(wanted, ticket)) == len(wanted):
            raise ticket.busy.with_traceback(None)

    def _busy(self, fit: Sequence[Member], ticket: Ticket | None) -> frozenset[str]:
        """The ids of those of which no slot is left as far as this worker knows, or none but for those who go before.

        They are found out together: of many keys one strategy's pick after the other would take long. Who goes before
        all others asks the store of those that other workers used a second ago.
        """
        slotted = [one for one in fit if one.credential.slots is not None]
        if not slotted:
            return frozenset()
        is_first = self._queue.is_first(ticket)
        places = {one.id: (one.credential.slots or 0) - (one.leases if is_first else one.in_use) for one in slotted}
        free = {ident: count for ident, count in places.items() if count > 0}
        left = free if is_first else self._queue.left_for(ticket, free)
        return frozenset(one.id for one in slotted if one.id not in left)

    def _in_turn(self, group: list[Candidate], prefer: str | None, homeward: Homeward) -> Iterator[Member]:
        preferred = next((one for one in group if one.id == prefer), None)
        if preferred is not None:
            group.remove(preferred)
            better = [
                one
                for one in group
                if (homeward.anyone or one.id == homeward.left) and self._strategy.goes_before(one, preferred)
            ]
            yield from self._picked(better)
            yield preferred.member
            group = [one for one in group if one not in better]
        yield from self._picked(group)

    def _picked(self, candidates: list[Candidate]) -> Iterator[Member]:
        left = list(candidates)
        while left:
            candidate = left[0] if len(left) == 1 else self._strategy.pick(left)
            yield candidate.member
            left.remove(candidate)

    def _taken(self, member: Member, wanted: Wanted, ticket: Ticket | None, now: float) -> Chosen | None:
        # While the store was asked for another one's slot, others may have used it up.
        if _is_full(member) or not _is_fit(member, wanted, now):
            return None
        # Ahead of the trips to the store: those who have their turn meanwhile know of it.
        reserved = member.select(wanted.model, wanted.tokens, now, free=wanted.free)
        chosen = None
        try:
            waited = None if ticket is None else self._queue.waited(ticket)
            chosen = self._admitted(Chosen(member, reserved), wanted, now, waited)
        finally:
            if chosen is None:
                member.unselect(reserved, now)
        return chosen

    def _admitted(self, chosen: Chosen, wanted: Wanted, now: float, waited: float | None) -> Chosen | None:
        """The same with its slot and its permit; None when all workers together have used them up."""
        member = chosen.member
        if member.credential.slots is not None:
            slot = self._slots.claim(member.credential, waited)
            if slot is None:
                return None
            chosen = replace(chosen, slot=slot)
        wait = self._permits.take(member.credential, now) if not wanted.free else 0.0
        if not wait:
            return chosen
        member.quota.close(now + wait)
        if chosen.slot is not None:
            self._slots.release(chosen.slot)
        return None


def _fit(members: Mapping[str, Member], wanted: Wanted, now: float) -> list[Member]:
    return [member for member in members.values() if _is_fit(member, wanted, now)]


def _is_full(member: Member) -> bool:
    """True when this worker alone uses all of its slots."""
    slots = member.credential.slots
    return slots is not None and member.leases >= slots


def _is_fit(member: Member, wanted: Wanted, now: float) -> bool:
    if member.id in wanted.exclude:
        return False
    is_in_use = member.is_fit(now) if not wanted.free else member.standing.state != "blacklisted"
    return is_in_use and member.opens_at(wanted.model, wanted.tokens, now) <= now


def _ranked(fit: Sequence[Member], *, warm: bool) -> Iterator[list[Member]]:
    """The available ones first, then the degraded ones.

    Those on trial come ahead of all, for one request, as it would never be their turn otherwise; but not for one that
    is `warm` elsewhere, which would lose a cache by it.
    """
    for state in WARM_ORDER if warm else ORDER:
        group = [member for member in fit if member.standing.state == state]
        if group:
            yield group
