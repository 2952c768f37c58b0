"""What errors mean for a credential."""

from random import Random

import pytest

from core.credentials.policy import judge
from core.credentials.standing import Change, Standing
from core.errors import (
    ClientGone,
    ContentRefused,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)

NOW = 1000.0
FRESH = Standing()


def verdict(error: GatewayError, standing: Standing = FRESH, started_at: float = NOW) -> Change:
    return judge(error, standing, started_at, NOW, Random(7))


@pytest.mark.parametrize(
    "kind",
    [UpstreamUnreachable, UpstreamTimeout, UpstreamBroken, UpstreamServerError, UpstreamForbidden, UpstreamError],
)
def test_a_failing_provider_counts_one_error_and_nothing_else(kind: type[UpstreamError]) -> None:
    change = verdict(kind("no"))
    assert (change.errors, change.blacklisted, change.cooldown_until) == (1, False, 0)


@pytest.mark.parametrize(
    "kind", [InvalidRequest, ContextLengthExceeded, ContentRefused, ModelNotFound, ClientGone, UpstreamOverloaded]
)
def test_what_is_no_fault_of_the_credential_is_not_held_against_it(kind: type[GatewayError]) -> None:
    assert not verdict(kind("no")).weighs


def test_a_refused_key_is_blacklisted_at_once_whatever_it_is_told() -> None:
    assert verdict(UpstreamUnauthorized("no")).blacklisted
    assert verdict(UpstreamUnauthorized("no", retry_after=5)).blacklisted


def test_a_site_that_wants_a_human_is_left_alone_for_five_minutes() -> None:
    change = verdict(UpstreamForbidden("no", code="upstream_human_check"))
    assert (change.errors, change.cooldown_until) == (1, NOW + 300)


def test_a_model_outside_the_plan_is_not_held_against_the_key() -> None:
    assert not verdict(UpstreamForbidden("no", code="model_not_found")).weighs


def test_a_rate_limit_cools_for_as_long_as_the_provider_says_and_counts_no_error() -> None:
    change = verdict(UpstreamRateLimited("no", retry_after=17))
    assert (change.cooldown_until, change.errors, change.blacklisted) == (NOW + 17, 0, False)


@pytest.mark.parametrize(("throttles", "longest"), [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (5000, 60)])
def test_untold_rate_limits_cool_for_a_growing_time_with_jitter(throttles: int, longest: float) -> None:
    waits = [
        judge(UpstreamRateLimited("no"), Standing(throttles=throttles), NOW, NOW, Random(seed)).cooldown_until - NOW
        for seed in range(20)
    ]
    assert len(set(waits)) > 1
    assert all(0.75 * longest <= wait <= longest for wait in waits)


def test_a_burst_of_rate_limits_doubles_the_cooldown_only_once() -> None:
    change = verdict(UpstreamRateLimited("no"), Standing(throttles=1, cooldown_until=NOW + 0.5))
    assert change.throttles == 0
    assert change.cooldown_until <= NOW + 1


def test_a_used_up_quota_waits_for_its_reset_when_that_is_known() -> None:
    change = verdict(UpstreamQuotaExhausted("no", code="usage_limit_reached", retry_after=3600))
    assert (change.cooldown_until, change.blacklisted) == (NOW + 3600, False)


def test_a_key_without_money_is_blacklisted_and_says_so() -> None:
    for told in (None, 5.0):
        change = verdict(UpstreamQuotaExhausted("no", retry_after=told))
        assert (change.blacklisted, change.cooldown_until, change.reason) == (True, 0, "out of money")


def test_requests_that_ran_when_it_became_degraded_do_not_count_further() -> None:
    degraded = Standing(state="degraded", errors=3, failed_at=NOW - 1)
    assert verdict(UpstreamTimeout("no"), degraded, started_at=NOW - 2).errors == 0
    assert verdict(UpstreamTimeout("no"), degraded, started_at=NOW).errors == 1


@pytest.mark.parametrize(("told", "rests"), [(None, 0.0), (5.0, 5.0), (3600.0, 60.0)])
def test_a_provider_in_trouble_is_left_alone_as_long_as_it_says_up_to_a_minute(
    told: float | None, rests: float
) -> None:
    change = verdict(UpstreamServerError("no", retry_after=told))
    assert (change.cooldown_until, change.errors) == (NOW + rests if rests else 0.0, 1)
