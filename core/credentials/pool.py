"""The credentials of one provider instance, leased out one request at a time."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random

import structlog

from config.settings import TokenSettings
from core.clock import Clock
from core.credentials.health import describe
from core.credentials.lease import Failed, Lease, Outcome, Succeeded
from core.credentials.member import Member
from core.credentials.policy import judge, rule_for
from core.credentials.sharing import Sharing
from core.credentials.shortage import shortage
from core.credentials.standing import Change, Standing
from core.credentials.strategies import STRATEGIES
from core.credentials.tally import Tally
from core.errors import GatewayError, NotFound
from core.store.base import Records
from schemas.credential import Credential, TokenInfo

ErrorHook = Callable[[str, str], None]
STATE_EVENTS = {"available": "token_recovered", "degraded": "token_degraded", "blacklisted": "token_blacklisted"}


class CredentialPool:
    """Leases from a local view without a trip to the store; `sync`, about once a second, shares it with all workers.

    Used by the greenlets of one thread. What is held against a credential is written at once; all else with `sync`.
    While the store cannot be reached nothing is lost and nothing fails but `reset`.
    """

    def __init__(
        self,
        provider_name: str,
        credentials: Iterable[Credential],
        records: Records,
        settings: TokenSettings,
        clock: Clock,
        worker_id: str,
        rng: Random,
        on_error: ErrorHook | None = None,
    ) -> None:
        """Reads the store once, so that what was blacklisted before a restart is so from the first lease on.

        `on_error` is told the credential's id and the error's code for each error held against it.
        """
        self.provider_name = provider_name
        self._settings = settings
        self._clock = clock
        self._sharing = Sharing(records, settings, clock, worker_id)
        self._rng = rng
        self._on_error = on_error
        self._log = structlog.get_logger(__name__)
        self._members: dict[str, Member] = {}
        self._leaving: dict[str, Member] = {}
        self.replace(credentials)

    def lease(self, exclude: frozenset[str] = frozenset()) -> Lease:
        """A lease on the next fit credential whose id is not in `exclude`.

        Raises CredentialsExhausted when those left cool down, NoCredentials when none of them comes back by itself or
        all were excluded.
        """
        now = self._clock.now()
        ready = [member for member in self._members.values() if member.id not in exclude and member.standing.ready(now)]
        best = [member for member in ready if member.standing.state == "available"] or ready
        if not best:
            raise shortage(self.provider_name, list(self._members.values()), exclude, now)
        member = self._strategy.pick(best)
        member.select(now)
        return Lease(member.credential, member.standing.epoch, now, lambda lease, end: self._ended(member, lease, end))

    def replace(self, credentials: Iterable[Credential]) -> None:
        """Use these from now on; what is known of those that stay, or come back, is kept."""
        now = self._clock.now()
        known = self._leaving | self._members
        self._members = {}
        for credential in {credential.id: credential for credential in credentials}.values():
            member = known.pop(credential.id, None) or Member(credential, self._settings, now)
            member.credential = credential
            self._members[member.id] = member
        self._leaving = known
        self._strategy = STRATEGIES[self._settings.strategy]()
        self._sharing.refresh(list(self._members.values()))

    def sync(self) -> None:
        """Write this worker's news and take over everybody else's."""
        if self._sharing.flush([*self._members.values(), *self._leaving.values()]):
            self._leaving = {key: member for key, member in self._leaving.items() if member.leases}
            self._sharing.refresh(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, credential_id: str) -> bool:
        return credential_id in self._members

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
        """Those a health check may restore: degraded and not cooling down."""
        now = self._clock.now()
        members = self._members.values()
        return [one.credential for one in members if one.standing.state == "degraded" and one.standing.ready(now)]

    def probed(self, credential_id: str, error: GatewayError | None, started_at: float) -> None:
        """Count a health check in: None restores a degraded credential, an error is judged like any other.

        Raises NotFound for an unknown id.
        """
        member = self._member(credential_id)
        now = self._clock.now()
        change = (
            Change(member.standing.epoch, cleared_by="health_check_passed", cleared_at=now)
            if error is None
            else self._judged(error, member, started_at, now)
        )
        self._count(member, Tally(), change, urgent=True)

    def _member(self, credential_id: str) -> Member:
        if credential_id not in self._members:
            raise NotFound(f"There is no token with the id {credential_id!r}.", param="id")
        return self._members[credential_id]

    def _ended(self, member: Member, lease: Lease, outcome: Outcome) -> None:
        member.release()
        now = self._clock.now()
        if isinstance(outcome, Succeeded):
            clear = Change(lease.epoch, cleared_by="complete", cleared_at=now)
            self._count(member, _success(outcome), clear, urgent=False)
        elif isinstance(outcome, Failed) and rule_for(outcome.error).fault:
            self._failed(member, lease, outcome, now)
        else:
            self._count(member, Tally(requests=1), Change(lease.epoch), urgent=False)

    def _failed(self, member: Member, lease: Lease, outcome: Failed, now: float) -> None:
        kind = outcome.error.code or "unknown"
        tally = Tally(requests=1, failures=1, seconds=outcome.seconds, errors={kind: 1}, recent="0")
        change = self._judged(outcome.error, member, lease.started_at, now)
        self._count(member, tally, replace(change, epoch=lease.epoch), urgent=change.weighs)
        if self._on_error is not None:
            self._on_error(member.id, kind)

    def _judged(self, error: GatewayError, member: Member, started_at: float, now: float) -> Change:
        others = (other.standing.cleared_at for other in self._members.values() if other is not member)
        works = any(cleared_at > member.standing.failed_at for cleared_at in others)
        return judge(error, member.standing, started_at, now, self._rng, provider_works=works)

    def _count(self, member: Member, tally: Tally, change: Change, *, urgent: bool) -> None:
        before = member.standing
        member.add(tally, change)
        if urgent:
            self._sharing.write(member)
        self._tell(member, before)

    def _tell(self, member: Member, before: Standing) -> None:
        after, now = member.standing, self._clock.now()
        facts = {"token_id": member.id, "provider": self.provider_name, "reason": after.reason}
        if after.state != before.state and after.epoch == before.epoch:
            self._log.warning(STATE_EVENTS[after.state], errors=after.errors, **facts)
        if after.cools(now) and not before.cools(now):
            self._log.warning("token_cooldown", seconds=round(after.cooldown_until - now, 3), **facts)


def _success(outcome: Succeeded) -> Tally:
    usage = outcome.usage
    return Tally(
        requests=1,
        successes=1,
        input_tokens=usage.prompt if usage else 0,
        output_tokens=(usage.output or 0) if usage else 0,
        cost=outcome.cost,
        seconds=outcome.seconds,
        recent="1",
    )
