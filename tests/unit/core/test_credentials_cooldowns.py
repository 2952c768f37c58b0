"""What an error cools down, for how long, and how what is out of use comes back."""

import pytest
from structlog.testing import capture_logs

from core.errors import (
    CredentialsExhausted,
    GatewayError,
    ModelNotEntitled,
    NoCredentials,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from core.providers import zhipu_errors
from core.providers.gemini_errors import read_trouble, trouble_error
from core.providers.openai_faults import Said
from schemas.limit import LimitFacts
from tests.unit.core.pools_kit import PER_MODEL, Plant, but, fail, fit, ident, info, key, reading, wait

HOUR = 3600
USED_UP = UpstreamQuotaExhausted("no", code="usage_limit_reached", retry_after=500)


def glm(code: str, text: str = "no") -> GatewayError:
    error = zhipu_errors.business_error(Said(text, code), Plant().now, None)
    assert error is not None
    return error


def reach(error: GatewayError, facts: LimitFacts = LimitFacts()) -> tuple[str, str, str]:  # noqa: B008 - a constant
    """Which of three keys, the first two of one account, are left for the model, for another, and to this request."""
    plant = Plant(key("a", account="x"), key("b", account="x"), key("c"), facts=facts)
    pool = plant.worker()
    shared = pool.shares(ident("a"), error)
    fail(pool, error)
    names = "".join(secret for secret in "abc" if ident(secret) not in shared)
    return fit(pool, "m"), fit(pool, "other"), names


@pytest.mark.parametrize(
    ("code", "left", "left_for_others", "not_shared"),
    [
        ("1302", "c", "c", "c"),
        ("1303", "c", "c", "c"),
        ("1305", "bc", "abc", "bc"),
        ("1312", "bc", "abc", "bc"),
        ("1311", "c", "abc", "c"),
        ("1220", "bc", "abc", "bc"),
        ("1308", "c", "c", "c"),
        ("1310", "c", "c", "c"),
        ("1316", "c", "c", "c"),
        ("1317", "c", "c", "c"),
        ("1318", "c", "c", "c"),
        ("1319", "c", "c", "c"),
        ("1320", "c", "c", "c"),
        ("1321", "c", "c", "c"),
        ("1113", "c", "c", "c"),
        ("1309", "c", "c", "c"),
        ("1313", "c", "c", "c"),
        ("1121", "c", "c", "c"),
        ("1000", "bc", "bc", "bc"),
        ("1234", "abc", "abc", "bc"),
    ],
)
def test_glms_codes_reach_as_far_as_they_mean(code: str, left: str, left_for_others: str, not_shared: str) -> None:
    assert reach(glm(code)) == (left, left_for_others, not_shared)


@pytest.mark.parametrize(
    ("facts", "left", "left_for_others"),
    [(LimitFacts(), "c", "c"), (PER_MODEL, "c", "abc")],
)
def test_a_rate_limit_reaches_as_far_as_the_provider_limits(facts: LimitFacts, left: str, left_for_others: str) -> None:
    assert reach(UpstreamRateLimited("slow", retry_after=9), facts)[:2] == (left, left_for_others)


def test_geminis_daily_quota_is_a_models_own() -> None:
    violation = {"@type": "QuotaFailure", "violations": [{"quotaId": "RequestsPerDayPerProjectPerModel-FreeTier"}]}
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "no", "details": [violation]}}
    trouble = read_trouble(body)
    assert trouble is not None
    error = trouble_error(trouble, 429, None, Plant().now)
    assert reach(error, PER_MODEL) == ("c", "abc", "c")


def test_a_spending_limit_is_all_models_and_all_of_the_account() -> None:
    limit = UpstreamQuotaExhausted("no", code="spend_limit_reached", retry_after=500)
    assert reach(limit, PER_MODEL) == ("c", "c", "c")
    assert limit.retry_after == 500


def test_keys_of_no_known_account_share_nothing() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    assert pool.shares(ident("a"), USED_UP) == but("a")
    fail(pool, USED_UP)
    assert fit(pool) == "b"
    assert pool.shares("nobody", USED_UP) == {"nobody"}


def test_a_quota_opens_when_it_was_told_to() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"))
    pool = plant.worker()
    fail(pool, USED_UP)
    assert wait(pool) == 500
    assert [one.reason for one in pool.infos()] == ["quota used up"] * 2
    plant.clock.advance(500)
    assert fit(pool) == "ab"


def test_what_an_account_cools_down_for_is_known_to_all_workers() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"))
    one, two = plant.worker("one"), plant.worker("two")
    fail(one, USED_UP)
    two.sync()
    assert wait(two) == 500
    assert wait(plant.worker("after a restart")) == 500


def test_a_deadline_only_moves_later_whatever_it_is_for() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"), facts=PER_MODEL)
    pool = plant.worker()
    first, second = pool.lease(model="m"), pool.lease(model="m")
    first.fail(UpstreamRateLimited("slow", retry_after=100), 1)
    second.fail(UpstreamRateLimited("slow", retry_after=1), 1)
    assert wait(pool, model="m") == 100


# One model


def test_a_model_that_is_overloaded_is_left_alone_for_a_growing_while() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    waits = []
    for _ in range(9):
        fail(pool, UpstreamOverloaded("busy"))
        waits.append(wait(pool, model="m"))
        assert fit(pool, "other") == "a"
        plant.clock.advance(waits[-1])
    longest = (1, 2, 4, 8, 16, 32, 60, 60, 60)
    assert all(0.75 * most <= one <= most for one, most in zip(waits, longest, strict=True))
    assert info(pool).stats.failed_requests == 0, "it is no fault of the key's"


def test_a_burst_of_overloads_is_one() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    for lease in [pool.lease(model="m") for _ in range(9)]:
        lease.fail(UpstreamOverloaded("busy"), 1)
    assert wait(pool, model="m") <= 1


def test_after_a_minute_of_peace_the_wait_is_short_again() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    for _ in range(4):
        fail(pool, UpstreamOverloaded("busy"))
        plant.clock.advance(wait(pool, model="m"))
    plant.clock.advance(60)
    fail(pool, UpstreamOverloaded("busy"))
    assert wait(pool, model="m") <= 1


def test_an_overload_that_tells_how_long_is_believed() -> None:
    pool = Plant(key("a")).worker()
    fail(pool, UpstreamOverloaded("busy", retry_after=17))
    assert wait(pool, model="m") == 17


def test_models_that_rest_are_shown_with_their_deadline_and_shared() -> None:
    plant = Plant(key("a"))
    one, two = plant.worker("one"), plant.worker("two")
    fail(one, UpstreamOverloaded("busy", retry_after=17))
    two.sync()
    assert {model: moment.timestamp() for model, moment in info(two).cooling_models.items()} == {"m": plant.now + 17}
    assert info(two).cooldown_until is None
    plant.clock.advance(17)
    assert info(two).cooling_models == {}


def test_a_model_that_no_key_may_use_is_refused_as_such_and_not_as_a_wait() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    for secret in "ab":
        fail(pool, UpstreamForbidden("no", code="model_not_found"), secret)
    with pytest.raises(ModelNotEntitled) as caught:
        pool.lease(model="m")
    assert (caught.value.status, caught.value.code) == (403, "model_not_found")
    plant.clock.advance(HOUR)
    assert fit(pool) == "ab", "a plan may have been changed"


def test_one_key_that_may_use_it_but_rests_makes_waiting_worthwhile() -> None:
    pool = Plant(key("a"), key("b")).worker()
    fail(pool, UpstreamForbidden("no", code="model_not_found"), "a")
    fail(pool, UpstreamRateLimited("slow", retry_after=9), "b")
    assert wait(pool, model="m") == 9


def test_many_models_are_not_remembered_for_ever() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    for number in range(500):
        fail(pool, UpstreamForbidden("no", code="model_not_found"), model=f"m{number}")
    pool.sync()
    assert len(plant.records.all("credential")[ident("a")]["standing"]["models"]) <= 201


# Out of use, and back


@pytest.mark.parametrize("error", [glm("1113"), glm("1309"), UpstreamQuotaExhausted("empty"), glm("1313")])
def test_money_does_not_come_back_by_the_clock_whatever_a_header_says(error: GatewayError) -> None:
    told = type(error)("empty", code=error.code, retry_after=5)
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    fail(pool, told)
    assert told.retry_after is None, "nor is the client told so"
    plant.clock.advance(HOUR / 2)
    assert (fit(pool), info(pool).status) == ("b", "blacklisted")
    pool.reset(ident("a"))
    assert fit(pool) == "ab"


@pytest.mark.parametrize(
    ("error", "hours"),
    [
        (UpstreamUnauthorized("no"), 6),
        (UpstreamUnauthorized("no", code="account_deactivated"), 6),
    ],
)
def test_a_check_that_fails_is_repeated_as_rarely_as_before(error: GatewayError, hours: int) -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, error)
    before = info(pool).reason
    for again in (UpstreamTimeout("no"), UpstreamOverloaded("no"), UpstreamUnauthorized("no")):
        moment = info(pool).next_check
        assert moment is not None
        assert moment.timestamp() == plant.now + hours * HOUR
        plant.clock.advance(hours * HOUR)
        assert len(pool.suspects()) == 1
        pool.probed(ident("a"), again, plant.now)
        assert pool.suspects() == []
    assert (info(pool).status, info(pool).reason) == ("blacklisted", before)


def test_a_key_that_was_blacklisted_for_its_errors_may_come_back_too() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    for _ in range(5):
        plant.clock.advance(1)
        pool.lease(prefer=ident("b")).succeed(None, 1, None)
        pool.lease(but("b")).fail(UpstreamServerError("no"), 1)
    assert info(pool).status == "blacklisted"
    plant.clock.advance(6 * HOUR)
    assert [one.secret for one in pool.suspects()] == ["a"]


def test_an_account_that_is_restricted_for_its_use_waits_for_a_person() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, UpstreamServerError("no"))
    fail(pool, UpstreamQuotaExhausted("no", code="fair_use_limit"))
    plant.clock.advance(1000 * HOUR)
    assert (pool.suspects(), info(pool).next_check) == ([], None)
    pool.reset(ident("a"))
    assert fit(pool) == "a"


def test_where_nothing_can_be_asked_for_free_a_person_has_to_reset() -> None:
    plant = Plant(key("a"), probes=False)
    pool = plant.worker()
    fail(pool, UpstreamUnauthorized("no"))
    plant.clock.advance(1000 * HOUR)
    assert pool.suspects() == []


def test_while_the_store_is_away_nothing_comes_back_on_one_worker_alone() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, UpstreamUnauthorized("no"))
    plant.clock.advance(6 * HOUR)
    plant.records.down = True
    pool.probed(ident("a"), None, plant.now)
    assert info(pool).status == "blacklisted"
    plant.records.down = False
    with capture_logs() as logs:
        pool.probed(ident("a"), None, plant.now)
    assert (info(pool).status, info(pool).reason) == ("available", None)
    assert [log["event"] for log in logs] == ["token_repaired"]


def test_evidence_from_before_a_key_was_repaired_does_not_weigh() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    old = pool.lease()
    fail(pool, UpstreamUnauthorized("no"))
    plant.clock.advance(6 * HOUR)
    pool.probed(ident("a"), None, plant.now)
    old.fail(UpstreamUnauthorized("no"), HOUR)
    assert fit(pool) == "a"


def test_a_check_that_finds_a_key_well_shortens_no_deadline() -> None:
    plant = Plant(key("a"))
    pool, other = plant.worker(), plant.worker("two")
    slow, refused = pool.lease(model="m"), pool.lease(model="m")
    pool.learn(ident("a"), (reading("requests", 0, plant.now + 8 * HOUR),))
    slow.fail(UpstreamQuotaExhausted("used up", code="usage_limit_reached", retry_after=7 * HOUR), 1)
    refused.fail(UpstreamUnauthorized("no"), 1)
    plant.clock.advance(6 * HOUR)
    pool.sync()
    pool.probed(ident("a"), None, plant.now)
    other.sync()
    for one in (pool, other):
        assert wait(one) == 2 * HOUR, "of its headers, and the hour that is left of its plan's"
        cooling = info(one).cooldown_until
        assert cooling is not None
        assert cooling.timestamp() == plant.now + HOUR


def test_keys_that_are_out_are_none_and_one_that_waits_is_a_wait() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    fail(pool, UpstreamQuotaExhausted("empty"), "a")
    fail(pool, USED_UP, "b")
    with pytest.raises(CredentialsExhausted):
        pool.lease()
    fail(pool := Plant(key("a")).worker(), UpstreamQuotaExhausted("empty"))
    with pytest.raises(NoCredentials, match="once it is found to work"):
        pool.lease()
