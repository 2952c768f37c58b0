"""Leasing credentials, on one worker."""

import pytest
from structlog.testing import capture_logs

from config.settings import TokenSettings
from core.errors import (
    ClientGone,
    CredentialsExhausted,
    InvalidRequest,
    NoCredentials,
    NotFound,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from schemas.usage import Usage
from tests.unit.core.credentials_kit import House, credentials, fail, info, key_id, succeed

BROKEN = UpstreamServerError("no")


def test_a_lease_makes_it_in_use_until_it_is_given_back() -> None:
    pool = House("a").worker()
    first, second = pool.lease(), pool.lease()
    assert (info(pool).status, info(pool).in_use) == ("in_use", 2)
    first.succeed(None, 1, None)
    second.abandon()
    assert (info(pool).status, info(pool).in_use) == ("available", 0)


def test_a_lease_is_given_back_exactly_once() -> None:
    pool = House("a").worker()
    lease, other = pool.lease(), pool.lease()
    assert not lease.closed
    lease.abandon()
    lease.succeed(None, 1, None)
    lease.fail(UpstreamUnauthorized("no"), 1)
    assert lease.closed
    assert (info(pool).status, info(pool).in_use, info(pool).stats.total_requests) == ("in_use", 1, 1)
    other.abandon()


def test_leasing_and_succeeding_take_no_trip_to_the_store() -> None:
    house = House("a")
    pool = house.worker()
    before = house.records.trips
    succeed(pool, 5)
    pool.lease().abandon()
    pool.lease().fail(InvalidRequest("yours"), 0.1)
    assert house.records.trips == before


def test_errors_in_a_row_degrade_then_blacklist() -> None:
    pool = House("a").worker()
    seen = []
    for _ in range(5):
        fail(pool, UpstreamForbidden("no"))
        seen.append(info(pool).status)
    assert seen == ["available", "available", "degraded", "degraded", "blacklisted"]


def test_an_outage_of_the_provider_degrades_its_only_token_and_never_blacklists_it() -> None:
    pool = House("a").worker()
    fail(pool, BROKEN, 50)
    assert info(pool).status == "degraded"
    succeed(pool)
    assert info(pool).status == "available"


def test_a_token_that_fails_while_another_works_is_blacklisted() -> None:
    house = House("a", "b")
    pool = house.worker()
    first = pool.lease()
    good, bad = first.credential.id, next(one.id for one in pool.infos() if one.id != first.credential.id)
    first.succeed(None, 0.5, None)
    for _ in range(5):
        house.clock.advance(1)
        pool.lease(frozenset({bad})).succeed(None, 0.5, None)
        pool.lease(frozenset({good})).fail(BROKEN, 0.5)
    status = {one.id: one.status for one in pool.infos()}
    assert status == {good: "available", bad: "blacklisted"}


def test_a_success_between_errors_starts_the_count_again() -> None:
    pool = House("a").worker()
    for _ in range(4):
        fail(pool, BROKEN, 2)
        succeed(pool)
    assert info(pool).status == "available"


def test_a_success_brings_a_degraded_one_back() -> None:
    pool = House("a").worker()
    fail(pool, BROKEN, 3)
    succeed(pool)
    assert info(pool).status == "available"


def test_a_degraded_one_is_chosen_only_when_nothing_better_is_left() -> None:
    pool = House("a", "b").worker()
    held = pool.lease(exclude=frozenset({key_id("b")}))
    for _ in range(3):
        pool.lease(exclude=frozenset({key_id("b")})).fail(BROKEN, 1)
    held.abandon()
    assert {pool.lease().credential.secret for _ in range(6)} == {"b"}
    assert pool.lease(exclude=frozenset({key_id("b")})).credential.secret == "a"


def test_a_blacklisted_one_is_never_chosen_and_a_late_success_does_not_bring_it_back() -> None:
    pool = House("a", "b").worker()
    late = pool.lease(exclude=frozenset({key_id("b")}))
    pool.lease(exclude=frozenset({key_id("b")})).fail(UpstreamUnauthorized("no"), 1)
    late.succeed(None, 1, None)
    pool.sync()
    assert info(pool).status == "blacklisted"
    assert {pool.lease().credential.secret for _ in range(6)} == {"b"}


def test_many_requests_that_fail_together_degrade_but_do_not_blacklist() -> None:
    house = House("a")
    pool = house.worker()
    running = [pool.lease() for _ in range(20)]
    house.clock.advance(1)
    for lease in running:
        lease.fail(UpstreamTimeout("no"), 1)
    assert info(pool).status == "degraded"


def test_a_cooling_one_is_left_alone_until_its_deadline() -> None:
    house = House("a", "b")
    pool = house.worker()
    pool.lease(exclude=frozenset({key_id("b")})).fail(UpstreamRateLimited("slow", retry_after=10), 1)
    assert {pool.lease().credential.secret for _ in range(4)} == {"b"}
    house.clock.advance(10)
    assert {pool.lease().credential.secret for _ in range(4)} == {"a", "b"}


def test_a_shorter_cooldown_does_not_shorten_a_longer_one() -> None:
    house = House("a")
    pool = house.worker()
    first, second = pool.lease(), pool.lease()
    first.fail(UpstreamRateLimited("slow", retry_after=100), 1)
    second.fail(UpstreamRateLimited("slow", retry_after=1), 1)
    house.clock.advance(99)
    with pytest.raises(CredentialsExhausted):
        pool.lease()


def test_any_number_of_rate_limits_never_blacklists() -> None:
    house = House("a")
    pool = house.worker()
    for _ in range(30):
        fail(pool, UpstreamRateLimited("slow"))
        house.clock.advance(60)
    assert info(pool).status == "available"


def test_when_all_cool_down_the_error_says_how_many_and_when_the_first_is_back() -> None:
    pool = House("a", "b", "c").worker()
    for seconds in (30, 12, 50):
        fail(pool, UpstreamRateLimited("slow", retry_after=seconds))
    with pytest.raises(CredentialsExhausted, match=r"3 of 3 .* cool down") as caught:
        pool.lease()
    assert caught.value.retry_after == 12
    assert caught.value.details is not None
    assert (caught.value.details["cooling_down"], caught.value.details["tokens"]) == (3, 3)


def test_one_that_cools_down_makes_waiting_worthwhile_though_others_are_blacklisted() -> None:
    pool = House("a", "b").worker()
    fail(pool, UpstreamUnauthorized("no"))
    fail(pool, UpstreamRateLimited("slow", retry_after=9))
    with pytest.raises(CredentialsExhausted) as caught:
        pool.lease()
    assert caught.value.retry_after == 9


def test_when_all_are_blacklisted_the_error_says_why_and_how_to_reset() -> None:
    pool = House("a", "b").worker()
    fail(pool, UpstreamQuotaExhausted("empty"))
    fail(pool, UpstreamUnauthorized("no"))
    with pytest.raises(
        NoCredentials, match=r"out of money; the provider refuses it.*POST /v1/tokens/\{id\}/reset"
    ) as e:
        pool.lease()
    assert (e.value.status, e.value.code) == (503, "no_credentials")


def test_a_pool_without_credentials_says_so() -> None:
    with pytest.raises(NoCredentials, match="has no credential"):
        House().worker().lease()


def test_a_request_that_has_tried_all_is_told_so() -> None:
    pool = House("a", "b").worker()
    with pytest.raises(NoCredentials, match="tried every usable"):
        pool.lease(exclude=frozenset({key_id("a"), key_id("b")}))


def test_a_request_whose_only_key_has_just_begun_to_cool_is_told_when_it_is_back() -> None:
    pool = House("a").worker()
    fail(pool, UpstreamRateLimited("slow", retry_after=7))
    with pytest.raises(CredentialsExhausted) as caught:
        pool.lease(exclude=frozenset({key_id("a")}))
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(("strategy", "order"), [("round_robin", "baba"), ("least_loaded", "bbbb")])
def test_the_strategy_is_the_one_of_the_settings(strategy: str, order: str) -> None:
    pool = House("a", "b", settings=TokenSettings(strategy=strategy)).worker()
    pool.lease()  # stays with a
    seen = ""
    for _ in order:
        lease = pool.lease()
        seen += lease.credential.secret
        lease.abandon()
    assert seen == order


def test_what_was_done_is_counted() -> None:
    house = House("a")
    pool = house.worker()
    house.clock.advance(5)
    pool.lease().succeed(Usage(uncached=10, read=5, output=7), 2.0, 0.25)
    pool.lease().succeed(None, 1.0, None)
    pool.lease().fail(UpstreamTimeout("no"), 6.0)
    pool.lease().fail(UpstreamOverloaded("busy"), 9.0)
    pool.lease().fail(ClientGone("bye"), 9.0)
    pool.lease().abandon()
    pool.sync()
    stats = info(pool).stats
    assert (stats.total_requests, stats.successful_requests, stats.failed_requests) == (6, 2, 1)
    assert (stats.total_input_tokens, stats.total_output_tokens, stats.total_cost) == (15, 7, 0.25)
    assert (stats.avg_response_time, stats.success_rate_last_100) == (3.0, 2 / 3)
    assert stats.errors == {"upstream_timeout": 1}
    assert house.errors == [(key_id("a"), "upstream_timeout")]
    assert info(pool).last_used is not None


def test_what_a_broken_answer_has_used_is_counted_whenever_it_is_known_and_is_no_request_more() -> None:
    pool = House("a").worker()
    first, second = pool.lease(), pool.lease()
    first.fail(BROKEN, 1)
    first.count(Usage(uncached=10, read=5, output=3), 0.25)
    second.abandon()
    second.count(Usage(uncached=1, output=1), None)
    stats = info(pool).stats
    assert (stats.total_input_tokens, stats.total_output_tokens, stats.total_cost) == (16, 4, 0.25)
    assert (stats.total_requests, stats.failed_requests, info(pool).in_use) == (2, 1, 0)


def test_nothing_is_claimed_before_the_first_request() -> None:
    one = info(House("a").worker())
    assert (one.stats.total_cost, one.stats.avg_response_time, one.stats.success_rate_last_100) == (None, None, None)
    assert (one.last_used, one.health_score) == (None, 1.0)


def test_only_the_last_hundred_outcomes_make_the_health_score() -> None:
    pool = House("a", settings=TokenSettings(error_threshold=50, max_errors=50)).worker()
    fail(pool, BROKEN, 40)
    succeed(pool, 80)
    assert info(pool).health_score == 0.8


def test_the_health_score_is_halved_while_degraded_and_nothing_while_blacklisted() -> None:
    pool = House("a").worker()
    succeed(pool, 7)
    fail(pool, BROKEN, 3)
    assert info(pool).health_score == 0.35
    fail(pool, UpstreamUnauthorized("no"))
    assert info(pool).health_score == 0.0


def test_reset_brings_a_blacklisted_one_back_and_keeps_its_counts() -> None:
    pool = House("a").worker()
    fail(pool, UpstreamUnauthorized("no"))
    after = pool.reset(key_id("a"))
    assert (after.status, after.reason, after.stats.failed_requests) == ("available", None, 1)
    pool.lease().abandon()


def test_reset_ends_a_cooldown() -> None:
    pool = House("a").worker()
    fail(pool, UpstreamRateLimited("slow", retry_after=1000))
    pool.reset(key_id("a"))
    pool.lease().abandon()


def test_a_request_from_before_the_reset_does_not_blacklist_again() -> None:
    pool = House("a").worker()
    old = pool.lease()
    fail(pool, UpstreamUnauthorized("no"))
    pool.reset(key_id("a"))
    old.fail(UpstreamUnauthorized("no"), 1)
    assert info(pool).status == "available"
    assert info(pool).stats.failed_requests == 2


def test_after_a_reset_it_can_be_blacklisted_again() -> None:
    pool = House("a").worker()
    fail(pool, UpstreamUnauthorized("no"))
    pool.reset(key_id("a"))
    fail(pool, UpstreamUnauthorized("no"))
    assert info(pool).status == "blacklisted"


def test_an_unknown_id_is_not_found() -> None:
    with pytest.raises(NotFound):
        House("a").worker().reset("nobody")


def test_a_new_set_keeps_what_is_known_of_those_that_stay() -> None:
    pool = House("a", "b").worker()
    pool.lease(exclude=frozenset({key_id("b")})).fail(UpstreamUnauthorized("no"), 1)
    pool.replace(credentials("a", "c"))
    assert info(pool, "a").status == "blacklisted"
    assert {pool.lease().credential.secret for _ in range(4)} == {"c"}


def test_one_that_left_with_a_request_running_is_remembered_when_it_comes_back() -> None:
    pool = House("a", "b").worker()
    lease = pool.lease(exclude=frozenset({key_id("b")}))
    pool.replace(credentials("b"))
    pool.sync()
    lease.fail(UpstreamUnauthorized("no"), 1)
    pool.sync()
    pool.replace(credentials("a", "b"))
    assert info(pool, "a").status == "blacklisted"


def test_what_was_done_with_one_that_left_is_counted_too() -> None:
    house = House("a", "b")
    pool = house.worker()
    lease = pool.lease(exclude=frozenset({key_id("b")}))
    pool.replace(credentials("b"))
    pool.sync()
    lease.succeed(None, 1, None)
    pool.sync()
    assert info(house.worker("two"), "a").stats.successful_requests == 1


def test_available_counts_those_that_can_be_chosen_without_a_second_thought() -> None:
    pool = House("a", "b", "c").worker()
    fail(pool, UpstreamUnauthorized("no"))
    fail(pool, UpstreamRateLimited("slow", retry_after=5))
    lease = pool.lease()
    assert pool.available_count() == 1
    lease.abandon()


def test_each_change_of_state_is_logged_by_id() -> None:
    house = House("hush-hush")
    pool = house.worker()
    with capture_logs() as logs:
        fail(pool, BROKEN, 4)
        succeed(pool)
        fail(pool, UpstreamRateLimited("slow", retry_after=5))
        house.clock.advance(5)
        fail(pool, UpstreamUnauthorized("no"))
        pool.reset(key_id("hush-hush"))
    assert [log["event"] for log in logs] == [
        "token_degraded",
        "token_recovered",
        "token_cooldown",
        "token_blacklisted",
        "token_reset",
    ]
    assert {log["token_id"] for log in logs} == {key_id("hush-hush")}
    assert "hush" not in str(logs)
