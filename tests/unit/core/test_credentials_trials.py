"""Keys that nothing pays for: which requests find out that somebody has topped them up, and what else it may mean."""

import pytest
from structlog.testing import capture_logs

from core.errors import (
    CredentialsExhausted,
    GatewayError,
    ModelNotEntitled,
    NoCredentials,
    UpstreamQuotaExhausted,
    UpstreamServerError,
)
from core.providers import zhipu_errors
from core.providers.openai_faults import Said
from tests.unit.core.pools_kit import Plant, but, fail, fit, ident, info, key

HOUR = 3600
EMPTY = UpstreamQuotaExhausted("empty")


def unpaid(code: str = "1113") -> GatewayError:
    error = zhipu_errors.business_error(Said("no balance or no package", code), Plant().now, None)
    assert error is not None
    return error


def answered(plant: Plant, secret: str = "a", model: str = "m", worker: str = "one") -> None:
    pool = plant.worker(worker)
    pool.lease(model=model, prefer=ident(secret)).succeed(None, 1, None)
    pool.sync()


# One request an hour


def test_no_check_ends_what_it_cannot_see() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, EMPTY)
    plant.clock.advance(1000 * HOUR)
    assert pool.suspects() == []


def test_a_request_that_is_answered_brings_a_key_and_its_account_back_on_all_workers() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"))
    pool, other = plant.worker(), plant.worker("two")
    fail(pool, EMPTY)
    plant.clock.advance(HOUR - 1)
    assert fit(pool) == ""
    plant.clock.advance(1)
    with capture_logs() as logs:
        pool.lease(model="m").succeed(None, 1, None)
    assert [log["event"] for log in logs] == ["token_repaired"] * 2
    other.sync()
    for one in (pool, other):
        assert (fit(one), info(one).status, info(one).reason) == ("ab", "available", None)


def test_only_one_request_tries_it_and_the_next_one_an_hour_later() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    fail(pool, EMPTY, "a")
    plant.clock.advance(HOUR)
    trial, others = pool.lease(), [pool.lease() for _ in range(9)]
    assert {trial.credential.secret, *(one.credential.secret for one in others)} == {"a", "b"}
    assert all(one.credential.secret == "b" for one in others)
    trial.fail(EMPTY, 1)
    plant.clock.advance(HOUR - 1)
    assert fit(pool) == "b"
    plant.clock.advance(1)
    assert fit(pool) == "ab"


def test_a_conversation_that_is_warm_elsewhere_is_not_the_one() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    fail(pool, EMPTY, "a")
    plant.clock.advance(HOUR)
    assert pool.lease(prefer=ident("b")).credential.secret == "b"
    assert pool.lease(but("b"), prefer=ident("b")).credential.secret == "a", "if nobody else is left it is"


def test_one_that_leaves_or_meets_another_trouble_finds_nothing_out() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, EMPTY)
    plant.clock.advance(HOUR)
    pool.lease().abandon()
    with pytest.raises(NoCredentials):
        pool.lease()
    plant.clock.advance(60)
    pool.lease().fail(UpstreamServerError("no"), 1)
    check = info(pool).next_check
    assert check is not None
    assert check.timestamp() == plant.now + HOUR


def test_the_first_words_of_an_answer_bring_it_back_already_whatever_becomes_of_the_rest() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"))
    pool = plant.worker()
    fail(pool, EMPTY)
    plant.clock.advance(HOUR)
    lease = pool.lease(model="m")
    lease.begun()
    assert fit(pool) == "ab"
    lease.abandon()
    lease.begun()
    assert (fit(pool), info(pool).in_use) == ("ab", 0)


def test_an_answer_that_was_under_way_when_it_ran_dry_tells_nothing_of_its_money() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    before = pool.lease()
    fail(pool, EMPTY)
    plant.clock.advance(HOUR)
    before.begun()
    before.succeed(None, HOUR, None)
    assert info(pool).status == "blacklisted"


# No money at all, or no package with that model


def test_a_model_that_nothing_pays_for_takes_no_key_from_those_that_work() -> None:
    plant = Plant(key("a"), key("b"))
    answered(plant, model="m")
    pool = plant.worker("two")
    fail(pool, unpaid(), model="outside")
    assert (fit(pool, "m"), fit(pool, "outside")) == ("ab", "b"), "another worker's answer counts as well"
    plant.clock.advance(HOUR)
    assert fit(pool, "outside") == "ab"


def test_the_plans_other_keys_lack_the_model_as_well() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"))
    answered(plant)
    pool = plant.worker()
    fail(pool, unpaid(), model="outside")
    with pytest.raises(ModelNotEntitled):
        pool.lease(model="outside")
    assert fit(pool, "m") == "ab"


@pytest.mark.parametrize("model", ["m", ""])
def test_the_model_that_did_work_has_no_money_left(model: str) -> None:
    plant = Plant(key("a"))
    answered(plant, model="m")
    pool = plant.worker()
    pool.lease(model=model).fail(unpaid(), 1)
    assert (info(pool).status, info(pool).reason) == ("blacklisted", "out of money")


def test_what_worked_long_ago_tells_nothing() -> None:
    plant = Plant(key("a"))
    answered(plant, model="m")
    pool = plant.worker()
    plant.clock.advance(HOUR)
    fail(pool, unpaid(), model="outside")
    assert info(pool).status == "blacklisted"


def test_a_plan_that_has_expired_is_no_matter_of_the_model() -> None:
    plant = Plant(key("a"))
    answered(plant, model="m")
    pool = plant.worker()
    fail(pool, unpaid("1309"), model="outside")
    assert info(pool).status == "blacklisted"


def test_many_models_are_not_remembered_for_ever() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    for number in range(500):
        pool.lease(model=f"m{number}").succeed(None, 1, None)
    pool.sync()
    assert len(plant.records.all("credential")[ident("a")]["worked"]) <= 200


def test_a_key_that_waits_for_its_reset_is_no_trial() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, UpstreamQuotaExhausted("used up", code="usage_limit_reached", retry_after=2 * HOUR))
    plant.clock.advance(HOUR)
    with pytest.raises(CredentialsExhausted):
        pool.lease()


def test_what_is_free_is_no_trial_and_leaves_the_trial_to_others() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    fail(pool, EMPTY)
    plant.clock.advance(HOUR)
    with pytest.raises(NoCredentials):
        pool.lease(free=True)
    assert fit(pool) == "a"
