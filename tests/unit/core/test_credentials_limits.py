"""What a minute of a key may hold, and what its provider says is left of it."""

import pytest

from core.credentials import flow
from core.credentials.flow import Flow, Spent
from core.credentials.pool import CredentialPool
from core.errors import (
    ClientGone,
    CredentialsExhausted,
    GatewayError,
    InternalError,
    ShuttingDown,
    UpstreamForbidden,
    UpstreamQuotaExhausted,
    UpstreamServerError,
)
from schemas.limit import Capacity, LimitFacts
from schemas.usage import Usage
from tests.unit.core.pools_kit import (
    CACHED_FREE,
    PER_MODEL,
    REFILLS,
    Plant,
    but,
    fail,
    fit,
    ident,
    info,
    key,
    reading,
    wait,
)


def left(pool: CredentialPool, kind: str = "requests", secret: str = "a") -> int | None:
    return next((one.remaining for one in info(pool, secret).limits if one.kind == kind), None)


def spend(pool: CredentialPool, tokens: int = 0, usage: Usage | None = None, **need: object) -> None:
    pool.lease(tokens=tokens, **need).succeed(usage, 0.5, None)  # type: ignore[arg-type] # any of the pool's own names


def test_a_key_serves_as_many_requests_a_minute_as_it_may_and_not_one_more() -> None:
    plant = Plant(key("a", requests=3))
    pool = plant.worker()
    for _ in range(3):
        spend(pool)
        plant.clock.advance(10)
    assert wait(pool) == 30, "the first is a minute old then"
    plant.clock.advance(30)
    spend(pool)
    assert wait(pool) == 10


def test_a_request_that_runs_or_failed_counts_too() -> None:
    pool = Plant(key("a", requests=3)).worker()
    pool.lease()
    pool.lease().fail(UpstreamServerError("no"), 1)
    pool.lease().abandon()
    assert wait(pool) == 60


def test_a_key_without_room_is_passed_over_for_one_with_room() -> None:
    pool = Plant(key("a", requests=1), key("b")).worker()
    assert sorted(pool.lease().credential.secret for _ in range(6)) == ["a", "b", "b", "b", "b", "b"]


def test_when_no_key_has_room_the_soonest_is_told() -> None:
    plant = Plant(key("a", requests=1), key("b", requests=1))
    pool = plant.worker()
    spend(pool, prefer=ident("b"))
    plant.clock.advance(20)
    spend(pool)
    with pytest.raises(CredentialsExhausted, match="have used up their limits") as caught:
        pool.lease()
    assert (caught.value.retry_after, caught.value.status) == (40, 429)
    assert (caught.value.details or {})["until"] == "2026-11-18T11:07:40+00:00"


def test_the_prompt_is_reserved_as_estimated_and_put_right_when_it_is_billed() -> None:
    pool = Plant(key("a", input_tokens=1000)).worker()
    lease = pool.lease(tokens=700)
    assert left(pool, "input_tokens") == 300
    assert wait(pool, tokens=400) == 60
    lease.succeed(Usage(uncached=500, read=100, output=5), 1, None)
    assert left(pool, "input_tokens") == 400
    pool.lease(tokens=400)


def test_an_answer_without_usage_leaves_the_estimate_standing() -> None:
    pool = Plant(key("a", input_tokens=1000)).worker()
    spend(pool, tokens=700)
    spend(pool, tokens=100, usage=Usage(output=9))
    assert left(pool, "input_tokens") == 200


def test_the_prompt_of_a_request_that_failed_costs_nothing() -> None:
    pool = Plant(key("a", input_tokens=1000)).worker()
    pool.lease(tokens=700).fail(UpstreamServerError("no"), 1)
    assert left(pool, "input_tokens") == 1000


def test_a_prompt_that_is_longer_than_the_limit_has_the_whole_minute_to_itself() -> None:
    plant = Plant(key("a", input_tokens=1000))
    pool = plant.worker()
    spend(pool, tokens=5000)
    assert wait(pool, tokens=1) == 60
    plant.clock.advance(60)
    spend(pool, tokens=5000)


def test_what_was_said_is_counted_when_it_is_known() -> None:
    plant = Plant(key("a", output_tokens=100))
    pool = plant.worker()
    spend(pool, usage=Usage(output=99))
    spend(pool, usage=Usage(output=30))
    assert left(pool, "output_tokens") == 0
    assert wait(pool) == 60


def test_a_correction_that_comes_after_its_minute_changes_nothing() -> None:
    plant = Plant(key("a", input_tokens=1000))
    pool = plant.worker()
    lease = pool.lease(tokens=700)
    plant.clock.advance(61)
    lease.succeed(Usage(uncached=900), 61, None)
    assert left(pool, "input_tokens") == 1000


@pytest.mark.parametrize(("facts", "remaining"), [(LimitFacts(), 200), (CACHED_FREE, 900)])
def test_what_comes_from_a_cache_counts_only_where_the_provider_counts_it(facts: LimitFacts, remaining: int) -> None:
    pool = Plant(key("a", input_tokens=1000), facts=facts).worker()
    spend(pool, tokens=800, usage=Usage(uncached=100, read=700, output=1))
    assert left(pool, "input_tokens") == remaining


def test_where_cached_tokens_are_free_long_prompts_that_are_cached_need_little_room() -> None:
    pool = Plant(key("a", input_tokens=1000), facts=CACHED_FREE).worker()
    for _ in range(20):
        spend(pool, tokens=900, usage=Usage(uncached=10, read=890))
        pool._clock.advance(60)  # type: ignore[attr-defined] # a fake clock
    leases = [pool.lease(tokens=900) for _ in range(10)]
    assert len(leases) == 10


def test_limits_are_those_of_the_configuration_as_it_is_now() -> None:
    pool = Plant(key("a", requests=1)).worker()
    spend(pool)
    pool.replace([key("a", requests=3)])
    assert left(pool) == 2
    pool.replace([key("a")])
    assert info(pool).limits == []


# What the provider says


def test_a_limit_that_is_used_up_keeps_a_key_from_being_asked_until_its_reset() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 30)])
    assert fit(pool) == "b"
    assert wait(pool, exclude=but("b")) == 30
    plant.clock.advance(30)
    assert fit(pool) == "ab"
    assert info(pool).limits == []


def test_what_is_left_goes_down_with_every_request_that_begins() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 2, plant.now + 30), reading("tokens", 100, plant.now + 9)])
    pool.lease(tokens=70)
    assert (left(pool), left(pool, "tokens")) == (1, 30)
    assert wait(pool, tokens=31) == 9
    pool.lease(tokens=30)
    assert wait(pool, tokens=1) == 30, "the requests are used up for longer than the tokens"


def test_the_newest_word_of_the_provider_counts() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 30)])
    plant.clock.advance(1)
    pool.learn(ident("a"), [reading("requests", 7, plant.now + 30)])
    assert left(pool) == 7


def test_a_limit_without_a_reset_is_believed_for_a_minute_and_none_for_more_than_a_day() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0)])
    assert wait(pool) == 60
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 1e9)])
    assert wait(pool) == 86_400


def test_a_reading_that_does_not_say_what_is_left_says_nothing() -> None:
    pool = Plant(key("a")).worker()
    pool.learn(ident("a"), [reading("requests", None)])  # type: ignore[arg-type] # "not said"
    pool.learn("nobody", [reading("requests", 0)])
    assert info(pool).limits == []


def test_where_each_model_has_limits_of_its_own_the_others_go_on() -> None:
    plant = Plant(key("a"), facts=PER_MODEL)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 30)], "m")
    assert (fit(pool, "m"), fit(pool, "n")) == ("", "a")
    assert info(pool).limits[0].model == "m"


def test_where_they_share_them_no_model_goes_on() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 30)], "m")
    assert (fit(pool, "m"), fit(pool, "n")) == ("", "")


def test_a_reset_voids_what_was_learned() -> None:
    plant = Plant(key("a"))
    pool, other = plant.worker(), plant.worker("two")
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 3000)])
    pool.sync()
    other.sync()
    pool.reset(ident("a"))
    other.sync()
    other.sync()
    pool.sync()
    assert (fit(pool), fit(other)) == ("a", "a")


def test_the_first_key_that_opens_is_told_whichever_were_tried() -> None:
    plant = Plant(key("a"), key("b"), key("c", slots=1))
    pool = plant.worker()
    assert pool.opens_in("m") == 0
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 30)])
    pool.learn(ident("b"), [reading("tokens", 50, plant.now + 20)])
    pool.lease(prefer=ident("c"))
    assert (pool.opens_in("m"), pool.opens_in("m", 51)) == (0, 1), "its one slot is free in about a second"


def test_a_key_that_does_not_come_back_by_itself_opens_at_no_time() -> None:
    plant = Plant(key("a"), key("b"))
    pool = plant.worker()
    fail(pool, UpstreamQuotaExhausted("empty"), "a")
    fail(pool, UpstreamForbidden("no", code="model_not_found"), "b")
    assert (pool.opens_in("m"), pool.opens_in("other")) == (None, 0)


# What fills up all the time


def test_a_bucket_is_usable_as_soon_as_enough_has_come_back_and_not_once_it_is_full() -> None:
    plant = Plant(key("a"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 60, limit=60)])
    assert wait(pool) == pytest.approx(1)
    plant.clock.advance(10)
    assert [left(pool), info(pool).limits[0].resets_at.timestamp()] == [10, plant.now + 50]  # type: ignore[union-attr]
    for _ in range(10):
        pool.lease()
    assert wait(pool) == pytest.approx(1)
    assert info(pool).limits[0].resets_at.timestamp() == pytest.approx(plant.now + 60)  # type: ignore[union-attr]
    plant.clock.advance(60)
    assert info(pool).limits == [], "it is full, and says nothing any more"


def test_of_a_bucket_of_tokens_a_long_prompt_waits_longer_than_a_short_one() -> None:
    plant = Plant(key("a"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("tokens", 100, plant.now + 54, limit=1000)])
    pool.lease(tokens=100).abandon()
    assert wait(pool, tokens=50) == pytest.approx(3)
    assert wait(pool, tokens=500) == pytest.approx(30)
    assert wait(pool, tokens=9000) == pytest.approx(60), "the whole of it is all that there ever is"


def test_a_bucket_of_a_day_fills_up_as_slowly_as_it_is_told_to() -> None:
    plant = Plant(key("a"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 86_400, limit=14_400)])
    assert wait(pool) == pytest.approx(6)


@pytest.mark.parametrize("seconds", [0.1, 1])
def test_a_time_that_was_rounded_down_makes_no_bucket_fill_up_faster_than_in_a_minute(seconds: float) -> None:
    plant = Plant(key("a"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 29, plant.now + seconds, limit=30)])
    for _ in range(29):
        pool.lease()
    assert wait(pool) == pytest.approx(2)


def test_where_nothing_is_told_of_the_whole_it_is_a_window() -> None:
    plant = Plant(key("a"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 30, limit=None)])
    assert wait(pool) == 30
    pool.learn(ident("a"), [reading("requests", 2, plant.now + 30, limit=2)])
    for _ in range(2):
        pool.lease()
    assert wait(pool) == 30


def test_the_soonest_of_two_buckets_is_told() -> None:
    plant = Plant(key("a"), key("b"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 0, plant.now + 60, limit=3)])
    pool.learn(ident("b"), [reading("requests", 0, plant.now + 60, limit=10)])
    assert wait(pool) == pytest.approx(6)
    plant.clock.advance(6)
    assert fit(pool) == "b"


def test_what_one_worker_takes_out_of_a_bucket_and_what_comes_back_the_others_know() -> None:
    plant = Plant(key("a"), facts=REFILLS)
    one, two = plant.worker("one"), plant.worker("two")
    one.learn(ident("a"), [reading("requests", 1, plant.now + 59, limit=60)])
    one.lease()
    one.sync()
    two.sync()
    assert (wait(one), wait(two)) == (pytest.approx(1), pytest.approx(1))
    plant.clock.advance(1)
    assert fit(two) == "a"


def test_a_request_of_one_key_takes_from_the_whole_account() -> None:
    plant = Plant(key("a", account="x"), key("b", account="x"), facts=REFILLS)
    pool = plant.worker()
    pool.learn(ident("a"), [reading("requests", 2, plant.now + 58, limit=60)])
    pool.lease()
    pool.lease()
    assert wait(pool) == pytest.approx(1)


# Several workers


def test_what_one_worker_spends_the_others_know_after_their_next_sync() -> None:
    plant = Plant(key("a", requests=5, input_tokens=1000))
    one, two = plant.worker("one"), plant.worker("two")
    for _ in range(3):
        spend(one, tokens=100)
    one.sync()
    two.sync()
    assert (left(two), left(two, "input_tokens")) == (2, 700)
    spend(two)
    spend(two)
    assert 55 <= wait(two) <= 65
    plant.clock.advance(60)
    assert (left(one), left(two)) == (5, 5)


def test_what_a_killed_worker_has_spent_counts_for_its_minute() -> None:
    plant = Plant(key("a", requests=2))
    spend(killed := plant.worker("killed"))
    killed.sync()
    del killed
    new = plant.worker("new")
    assert left(new) == 1
    plant.clock.advance(60)
    assert left(new) == 2


def test_what_one_worker_learns_the_others_know_after_their_next_sync() -> None:
    plant = Plant(key("a"), key("b"))
    one, two = plant.worker("one"), plant.worker("two")
    one.learn(ident("a"), [reading("requests", 0, plant.now + 30)])
    one.sync()
    two.sync()
    assert (fit(one), fit(two)) == ("b", "b")
    plant.clock.advance(30)
    assert fit(two) == "ab"


def test_older_news_do_not_replace_newer_ones() -> None:
    plant = Plant(key("a"))
    one, two = plant.worker("one"), plant.worker("two")
    two.learn(ident("a"), [reading("requests", 9, plant.now + 30)])
    plant.clock.advance(1)
    one.learn(ident("a"), [reading("requests", 4, plant.now + 30)])
    one.sync()
    two.sync()
    one.sync()
    assert (left(one), left(two)) == (4, 4)


def test_keys_without_limits_write_nothing_of_what_they_spend() -> None:
    plant = Plant(key("a"))
    pool = plant.worker()
    spend(pool)
    pool.sync()
    record = plant.records.all("credential")[ident("a")]
    assert (record["spent"], record["lessons"]) == ({}, {})


# What is left of all


def test_capacity_is_what_is_left_of_the_keys_that_can_be_used() -> None:
    plant = Plant(key("a", requests=10, input_tokens=1000), key("b", requests=5), key("c"))
    pool = plant.worker()
    assert pool.capacity() == Capacity(3, 15, 1000)
    spend(pool, prefer=ident("a"), tokens=300)
    pool.learn(ident("a"), [reading("requests", 2, plant.now + 30)])
    for _ in range(5):
        spend(pool, prefer=ident("b"))
    assert pool.capacity() == Capacity(2, 2, 700)


def test_nothing_is_said_of_limits_that_nobody_knows() -> None:
    assert Plant(key("a"), key("b")).worker().capacity() == Capacity(2, None, None)


def test_that_nothing_is_left_is_known() -> None:
    pool = Plant(key("a", requests=1)).worker()
    spend(pool)
    assert pool.capacity() == Capacity(0, 0, None)


def test_a_key_that_serves_as_many_requests_as_it_may_cannot_be_used_now_but_for_the_one_that_asks() -> None:
    plant = Plant(key("a", slots=2, requests=10), key("b", slots=1), key("c"))
    pool, other = plant.worker("one"), plant.worker("two")
    assert pool.capacity() == Capacity(3, 10, None)
    own = pool.lease(prefer=ident("b"))
    assert (pool.capacity().keys_available, pool.capacity(own=ident("b")).keys_available) == (2, 3)
    pool.lease(prefer=ident("a"))
    other.lease(prefer=ident("a"))
    other.sync()
    pool.sync()
    assert pool.capacity() == Capacity(1, 8, None), "its minute is not over for that"
    own.abandon()
    assert pool.capacity().keys_available == 2


@pytest.mark.parametrize("ours", [ClientGone("left"), ShuttingDown("bye"), InternalError("oops")])
def test_a_prompt_whose_client_left_was_sent_all_the_same(ours: GatewayError) -> None:
    pool = Plant(key("a", input_tokens=1000)).worker()
    pool.lease(tokens=900).fail(ours, 1)
    assert wait(pool, tokens=900) == 60


def test_when_a_busy_minute_has_room_again_is_told_by_its_first_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    spent, looked = Flow(), list[float]()
    for number in range(6000):
        spent.add(number / 1000, requests=1)
    spent.accept([Spent(60.5, requests=2)])
    until = flow._until
    monkeypatch.setattr(flow, "_until", lambda one: looked.append(until(one)) or looked[-1])
    assert spent.opens_at("requests", 6000, 1, 7.0) == pytest.approx(60.002)
    assert len(looked) < 20
