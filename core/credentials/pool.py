"""The credentials of one provider instance, leased out one request at a time."""

from collections.abc import Iterable

import structlog

from config.settings import QueueSettings
from core.credentials.capacity import capacity_of
from core.credentials.choosing import AT_HOME, Choice, Chosen, Homeward
from core.credentials.fair_queue import FairQueue, Ticket
from core.credentials.ground import USUAL, Ground, Manner
from core.credentials.health import describe
from core.credentials.lease import Begun, Declined, Failed, Lease, Outcome, Succeeded, Used
from core.credentials.member import Member
from core.credentials.permits import Permits
from core.credentials.policy import reach_of
from core.credentials.quota import Foreseen, Quota
from core.credentials.sharing import Sharing
from core.credentials.shortage import Wanted, opens_in
from core.credentials.slots import Slots
from core.credentials.strategies import STRATEGIES
from core.credentials.verdicts import Verdicts
from core.errors import OURS, GatewayError, NotFound
from schemas.credential import Credential, TokenInfo
from schemas.limit import Capacity, LimitReading


class CredentialPool:
    """Leases from a local view without a trip to the store; `sync`, about once a second, shares it with all workers.

    Used by the greenlets of one thread. What is held against a credential is written at once; all else with `sync`.
    Only a credential with slots, or near a limit of requests that it was given, takes a trip for each lease. While the
    store cannot be reached nothing is lost and nothing fails but `reset`. `queue` is for those who wait for a slot.
    """

    def __init__(
        self, provider_name: str, credentials: Iterable[Credential], ground: Ground, manner: Manner = USUAL
    ) -> None:
        """Reads the store once, so that what was blacklisted before a restart is so from the first lease on."""
        clock, settings = ground.clock, ground.settings
        self.provider_name = provider_name
        self.queue = FairQueue(QueueSettings(), clock) if manner.queue is None else manner.queue
        self._settings = settings
        self._clock = clock
        self._facts = manner.facts
        self._probes = manner.probes
        self._strategy_name = manner.strategy or settings.strategy
        self._strategy = STRATEGIES[self._strategy_name](ground.rng)
        self._sharing = Sharing(ground.records, settings, clock, ground.worker_id)
        self._slots = Slots(ground.counters, clock, ground.worker_id)
        self._permits = Permits(ground.counters)
        self._accounts = ground.accounts
        self._verdicts = Verdicts(manner.facts, ground.accounts, self._sharing, clock, ground.rng, ground.on_error)
        self._log = structlog.get_logger(__name__)
        self._members: dict[str, Member] = {}
        self._leaving: dict[str, Member] = {}
        self.replace(credentials)

    def lease(
        self,
        exclude: frozenset[str] = frozenset(),
        *,
        model: str = "",
        tokens: int = 0,
        prefer: str | None = None,
        ticket: Ticket | None = None,
        homeward: Homeward = AT_HOME,
        free: bool = False,
    ) -> Lease:
        """A lease on the next fit credential whose id is not in `exclude`; on `prefer` if that is fit.

        What `homeward` allows is taken instead.

        `model` is the upstream model, `tokens` about how many the prompt has, and `ticket` the place in `queue` of a
        request that waits for a slot. `free`: what it is for counts against no limit, and is no trial of a credential.

        Raises CredentialsExhausted when those left cool down or have used up their limits, SlotsBusy when they only
        serve as many requests as they may, NoCredentials when none of them comes back by itself or all were excluded.
        """
        now = self._clock.now()
        chosen = self._choice.choose(self._members, Wanted(exclude, model, tokens, free), now, prefer, ticket, homeward)
        member = chosen.member
        others = self._accounts.others(member) if not free else ()
        foreseen = [(other.quota, other.quota.foresee(model, tokens, now)) for other in others]

        def end(lease: Lease, outcome: Outcome) -> None:
            if isinstance(outcome, Declined):
                self._declined(chosen, lease, foreseen)
            else:
                self._ended(chosen, lease, outcome)

        return Lease(member.credential, member.standing.epoch, now, end, model, overflows=chosen.overflows)

    def hindrance(self, model: str = "", tokens: int = 0) -> GatewayError | None:
        """What `lease` would raise now, for a prompt of so many tokens; None when it would give one, or have it wait.

        Nothing is leased or reserved.
        """
        return self._choice.hindrance(self._members, Wanted(model=model, tokens=tokens), self._clock.now())

    def replace(self, credentials: Iterable[Credential]) -> None:
        """Use these from now on; what is known of those that stay, or come back, is kept."""
        now = self._clock.now()
        known = self._leaving | self._members
        self._members = {}
        for credential in {credential.id: credential for credential in credentials}.values():
            member = known.pop(credential.id, None) or Member(credential, self._settings, now, self._facts)
            member.become(credential, self._settings)
            self._members[member.id] = member
        self._leaving = known
        self._accounts.join(self.provider_name, self._members)
        self._choice = Choice(self.provider_name, self._strategy, self._slots, self._permits, self.queue)
        self._sharing.refresh(list(self._members.values()))

    def inherit(self, before: "CredentialPool") -> None:
        """Take over the slots and the queue of `before`, whose turn it is, and what it knows of keys.

        Both may lease from then on.

        What is learned of a key by either is known to both, and this one writes the news of all.
        """
        credentials = [member.credential for member in self._members.values()]
        before.queue.become(self.queue)
        self.queue, self._slots, self._permits = before.queue, before._slots, before._permits
        if self._strategy_name == before._strategy_name:
            self._strategy = before._strategy
        self._members, self._leaving = {}, before._leaving | before._members
        self.replace(credentials)

    def sync(self) -> None:
        """Write this worker's news, take over everybody else's, and keep the slots of running leases."""
        self._slots.renew()
        if self._sharing.flush([*self._members.values(), *self._leaving.values()]):
            self._leaving = {key: member for key, member in self._leaving.items() if member.leases}
            self._sharing.refresh(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, credential_id: str) -> bool:
        return credential_id in self._members

    @property
    def limited(self) -> bool:
        """True when limits are known, so that it matters how many tokens a prompt has."""
        return any(member.quota.known for member in self._members.values())

    def learn(self, credential_id: str, readings: Iterable[LimitReading], model: str = "") -> None:
        """Take over what the provider said of the limits of the credential's account when it was asked for `model`."""
        member, now, told = self._members.get(credential_id), self._clock.now(), tuple(readings)
        for one in (member, *self._accounts.others(member)) if member is not None and told else ():
            one.learn(told, model, now)

    def shares(self, credential_id: str, error: GatewayError) -> frozenset[str]:
        """The ids of all credentials that `error` on this one speaks for, itself included."""
        member = self._members.get(credential_id)
        if member is None or not reach_of(error, self._facts).account:
            return frozenset({credential_id})
        return frozenset({credential_id, *(other.id for other in self._accounts.others(member))})

    def opens_in(self, model: str = "", tokens: int = 0, only: str | None = None) -> float | None:
        """Seconds until any credential, or the one of that id, may be asked for `model` with such a prompt.

        None when none comes back by itself.
        """
        members = [member for member in self._members.values() if only in (None, member.id)]
        return opens_in(members, Wanted(model=model, tokens=tokens), self._clock.now())

    def capacity(self, model: str = "", own: str | None = None) -> Capacity:
        """What is left of all credentials that can be used now, for `model`; asked by a request that has that of the id
        `own`, if any."""
        return capacity_of(self._members.values(), model, self._clock.now(), own)

    def infos(self) -> list[TokenInfo]:
        """Every credential as all workers know it, the last second of the others' news aside."""
        now = self._clock.now()
        return [describe(member, now) for member in self._members.values()]

    def reset(self, credential_id: str) -> TokenInfo:
        """Make the credential available again on all workers and void what was held against it.

        Raises NotFound for an unknown id, StoreUnavailable when the other workers cannot be told.
        """
        member = self._member(credential_id)
        self._sharing.reset(member)
        self._log.info("token_reset", token_id=member.id, provider=self.provider_name)
        return describe(member, self._clock.now())

    def available_count(self) -> int:
        """How many are neither degraded, blacklisted nor cooling down."""
        now = self._clock.now()
        standings = [member.standing for member in self._members.values()]
        return sum(standing.state == "available" and not standing.cools(now) for standing in standings)

    def usable_count(self) -> int:
        """How many may be chosen now: those that are available, and the degraded ones as a last resort."""
        now = self._clock.now()
        return sum(member.standing.ready(now) for member in self._members.values())

    def suspects(self) -> list[Credential]:
        """Those a health check may restore: degraded and not cooling down, or blacklisted and due to be asked again.

        Not those on trial, as no check sees money.
        """
        now = self._clock.now()
        return [member.credential for member in self._members.values() if self._is_suspect(member, now)]

    def probed(self, credential_id: str, error: GatewayError | None, started_at: float) -> None:
        """Count a health check in: None restores the credential, an error is judged like any other.

        Raises NotFound for an unknown id.
        """
        self._verdicts.probed(self._member(credential_id), error, started_at, self._members)

    def _is_suspect(self, member: Member, now: float) -> bool:
        standing = member.standing
        if standing.state == "blacklisted":
            return self._probes and not standing.trial and standing.due(now)
        return standing.state == "degraded" and standing.ready(now)

    def _member(self, credential_id: str) -> Member:
        if credential_id not in self._members:
            raise NotFound(f"There is no token with the id {credential_id!r}.", param="id")
        return self._members[credential_id]

    def _declined(self, chosen: Chosen, lease: Lease, foreseen: Iterable[tuple[Quota, Foreseen]]) -> None:
        member, now = chosen.member, self._clock.now()
        member.unselect(chosen.reserved, now)
        for quota, expected in foreseen:
            quota.forget(expected, now)
        if chosen.reserved.entry is not None:
            self._permits.give_back(member.credential, lease.started_at, now)
        if chosen.slot is not None:
            self._slots.release(chosen.slot)

    def _ended(self, chosen: Chosen, lease: Lease, outcome: Outcome) -> None:
        member, reserved, now = chosen.member, chosen.reserved, self._clock.now()
        if isinstance(outcome, Begun):
            self._verdicts.begun(member, lease)
            return
        if isinstance(outcome, Used):
            member.quota.settle(reserved, outcome.usage, now)
            self._verdicts.used(member, lease, outcome)
            return
        member.release()
        if isinstance(outcome, Succeeded):
            member.quota.settle(reserved, outcome.usage, now)
            self._verdicts.succeeded(member, lease, outcome)
        elif isinstance(outcome, Failed):
            # A prompt that nobody waits for any more was sent all the same.
            if not isinstance(outcome.error, OURS):
                member.quota.cancel(reserved, now)
            self._verdicts.failed(member, lease, outcome, self._members)
        else:
            self._verdicts.abandoned(member, lease)
        if chosen.slot is not None:
            self._slots.release(chosen.slot)
