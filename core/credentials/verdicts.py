"""Counts in what became of leases and of health checks, and tells the log."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

import structlog

from core.clock import Clock
from core.credentials.accounts import Accounts
from core.credentials.lease import Failed, Lease, Succeeded, Used
from core.credentials.member import Member
from core.credentials.policy import Reach, judge, reach_of, rule_for
from core.credentials.sharing import Sharing
from core.credentials.standing import Change, Standing
from core.credentials.tally import Tally
from core.errors import GatewayError, StoreUnavailable
from schemas.limit import LimitFacts

ErrorHook = Callable[[str, str], None]
STATE_EVENTS = {"available": "token_recovered", "degraded": "token_degraded", "blacklisted": "token_blacklisted"}


class Verdicts:
    """Decides what outcomes mean for the members of one pool; what weighs against one is written at once."""

    def __init__(
        self,
        facts: LimitFacts,
        accounts: Accounts,
        sharing: Sharing,
        clock: Clock,
        rng: Random,
        on_error: ErrorHook | None,
    ) -> None:
        self._facts = facts
        self._accounts = accounts
        self._sharing = sharing
        self._clock = clock
        self._rng = rng
        self._on_error = on_error
        self._log = structlog.get_logger(__name__)

    def succeeded(self, member: Member, lease: Lease, outcome: Succeeded) -> None:
        """A request was answered."""
        now = self._clock.now()
        clear = Change(lease.epoch, cleared_by="complete", cleared_at=now)
        member.answered(lease.model, now)
        standing = member.standing
        self._count(member, _success(outcome), clear, urgent=False)
        self._bring_back(member, lease, standing)

    def begun(self, member: Member, lease: Lease) -> None:
        """A request is being answered."""
        self._bring_back(member, lease, member.standing)

    def _bring_back(self, member: Member, lease: Lease, standing: Standing) -> None:
        """A credential that was on trial works, and so do those of its account."""
        if standing.trial and lease.epoch == standing.epoch and standing.due(lease.started_at):
            for one in (member, *self._accounts.others(member)):
                if one.standing.trial:
                    self._repair(one)

    def abandoned(self, member: Member, lease: Lease) -> None:
        """A request ended in a way that says nothing of the credential."""
        self._count(member, Tally(requests=1), Change(lease.epoch), urgent=False)

    def used(self, member: Member, lease: Lease, outcome: Used) -> None:
        """An answer that broke off has used something; how the request ended is told by itself."""
        tally = Tally(input_tokens=outcome.usage.prompt, output_tokens=outcome.usage.output or 0, cost=outcome.cost)
        self._count(member, tally, Change(lease.epoch), urgent=False)

    def failed(self, member: Member, lease: Lease, outcome: Failed, members: Mapping[str, Member]) -> None:
        """A request failed, for which the whole account may be to blame; `members` are all of the pool."""
        error, now = outcome.error, self._clock.now()
        reach = reach_of(error, self._facts)
        change = self._judged(error, member, lease, now, members, reach)
        kind = error.code or "unknown"
        fault = rule_for(error).fault
        tally = Tally(requests=1)
        if fault:
            tally = Tally(requests=1, failures=1, seconds=outcome.seconds, errors={kind: 1}, recent="0")
        self._count(member, tally, change, urgent=change.weighs)
        for other in self._others(member, change) if reach.account else ():
            # Their own epochs: a lease on one credential knows nothing of another one's resets.
            self._count(other, Tally(), replace(change, epoch=other.standing.epoch), urgent=change.weighs)
        if fault and self._on_error is not None:
            self._on_error(member.id, kind)

    def probed(
        self, member: Member, error: GatewayError | None, started_at: float, members: Mapping[str, Member]
    ) -> None:
        """A health check has found `error`, or nothing wrong."""
        now, standing = self._clock.now(), member.standing
        if standing.state == "blacklisted":
            self._probed_blacklisted(member, error, now)
        elif error is None:
            clear = Change(standing.epoch, cleared_by="health_check_passed", cleared_at=now)
            self._count(member, Tally(), clear, urgent=True)
        else:
            works = _provider_works(member, members)
            change = judge(error, standing, started_at, now, self._rng, provider_works=works)
            self._count(member, Tally(), change, urgent=True)

    def _probed_blacklisted(self, member: Member, error: GatewayError | None, now: float) -> None:
        standing = member.standing
        if error is None:
            self._repair(member)
        else:
            again = Change(standing.epoch, probe_at=now + standing.probe_every, probe_every=standing.probe_every)
            self._count(member, Tally(), again, urgent=True)

    def _repair(self, member: Member) -> None:
        try:
            self._sharing.repair(member)
        except StoreUnavailable:
            return  # the next one that finds it well may tell the others
        self._log.warning("token_repaired", token_id=member.id, provider=member.credential.provider)

    def _others(self, member: Member, change: Change) -> list[Member]:
        """The other credentials of the account that the change is about.

        What a plan does not have is told of where it was asked: an account may have another plan at another address.
        """
        of_plan = any(rest.refused for rest in change.models.values())
        others = self._accounts.others(member)
        return [one for one in others if not of_plan or one.credential.provider == member.credential.provider]

    def _judged(
        self,
        error: GatewayError,
        member: Member,
        lease: Lease,
        now: float,
        members: Mapping[str, Member],
        reach: Reach,
    ) -> Change:
        change = judge(
            error,
            member.standing,
            lease.started_at,
            now,
            self._rng,
            provider_works=_provider_works(member, members),
            model=(lease.model or None) if reach.model else None,
            only_model=lease.model if member.fails_alone(lease.model, now) else "",
        )
        if member.standing.trial and change.probe_at:
            change = replace(change, probe_at=now + member.standing.probe_every)
        return replace(change, epoch=lease.epoch)

    def _count(self, member: Member, tally: Tally, change: Change, *, urgent: bool) -> None:
        before = member.standing
        member.add(tally, change)
        if urgent:
            self._sharing.write(member)
        self._tell(member, before)

    def _tell(self, member: Member, before: Standing) -> None:
        after, now = member.standing, self._clock.now()
        facts = {"token_id": member.id, "provider": member.credential.provider, "reason": after.reason}
        if after.state != before.state and after.epoch == before.epoch:
            self._log.warning(STATE_EVENTS[after.state], errors=after.errors, **facts)
        if after.cools(now) and not before.cools(now):
            self._log.warning("token_cooldown", seconds=round(after.cooldown_until - now, 3), **facts)
        for model, rest in after.models.items():
            if rest.until > now and (model not in before.models or before.models[model].until <= now):
                facts["reason"] = "may not use the model" if rest.refused else "the model's limit or overload"
                self._log.warning("token_cooldown", model=model, seconds=round(rest.until - now, 3), **facts)


def _provider_works(member: Member, members: Mapping[str, Member]) -> bool:
    others = (other.standing.cleared_at for other in members.values() if other is not member)
    return any(cleared_at > member.standing.failed_at for cleared_at in others)


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
