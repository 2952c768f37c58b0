"""How a credential looks to an operator."""

from datetime import UTC, datetime

from core.credentials.member import Member
from core.credentials.standing import Standing
from core.credentials.states import shown
from core.credentials.tally import Tally
from schemas.credential import LimitInfo, TokenInfo, TokenStats


def health_score(standing: Standing, tally: Tally) -> float:
    """The success rate of the last 100 requests (1 before the first), halved while degraded, 0 while blacklisted."""
    if standing.state == "blacklisted":
        return 0.0
    rate = tally.recent_success_rate
    score = 1.0 if rate is None else rate
    return round(score / 2 if standing.state == "degraded" else score, 4)


def describe(member: Member, now: float) -> TokenInfo:
    """Everything known of a credential but its secret. The reason is left out once it no longer matters."""
    standing, tally, credential = member.standing, member.tally, member.credential
    troubled = standing.state != "available" or standing.cools(now)
    return TokenInfo(
        id=member.id,
        name=credential.name,
        provider=credential.provider,
        status=shown(standing.state, member.in_use),
        health_score=health_score(standing, tally),
        in_use=member.in_use,
        weight=credential.weight,
        created_at=datetime.fromtimestamp(member.created_at, UTC),
        last_used=_moment(member.last_used),
        cooldown_until=_moment(standing.cooldown_until) if standing.cooldown_until > now else None,
        reason=standing.reason if troubled else None,
        priority=credential.priority,
        account=credential.account,
        slots=credential.slots,
        limits=_limits(member, now),
        cooling_models={
            model: datetime.fromtimestamp(rest.until, UTC)
            for model, rest in standing.models.items()
            if rest.until > now
        },
        next_check=_moment(standing.probe_at) if standing.state == "blacklisted" else None,
        stats=_stats(tally),
    )


def _limits(member: Member, now: float) -> list[LimitInfo]:
    return [
        LimitInfo(
            kind=left.kind,
            limit=left.limit,
            remaining=left.remaining,
            resets_at=_moment(left.resets_at or 0),
            model=left.model,
            learned=left.learned,
        )
        for left in member.quota.left(now)
    ]


def _stats(tally: Tally) -> TokenStats:
    return TokenStats(
        total_requests=tally.requests,
        successful_requests=tally.successes,
        failed_requests=tally.failures,
        total_input_tokens=tally.input_tokens,
        total_output_tokens=tally.output_tokens,
        total_cost=tally.cost,
        avg_response_time=tally.mean_seconds,
        success_rate_last_100=tally.recent_success_rate,
        errors=dict(tally.errors),
    )


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
