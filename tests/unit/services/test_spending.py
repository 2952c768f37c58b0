"""What is reserved ahead of a request, and settled behind it."""

from dataclasses import replace
from datetime import date
from itertools import takewhile
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.errors import BudgetExceeded, RateLimited, StoreUnavailable, Unpriced
from core.routing import Route, listed
from core.store.resilient import ResilientStore
from schemas.caller import Caller
from schemas.chat import Native, Sampling
from schemas.limit import CallerLimits
from schemas.model import Price, Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.usage import Usage
from services.bounds import DAY, HOUR, connection_of
from services.hold import Hold
from tests.fakes import FakeClock
from tests.unit.services.spending_kit import ALICE, BOB, PRICES, House, target
from tests.unit.services.store_fake import DictStore

TEN_TOKENS = Sampling(max_tokens=10)
"""Costs 0.001 for the answer and 3 tokens and more of a prompt at 0.0000125."""


def budget(limit: float, **more: Any) -> dict[str, Any]:
    return {"hourly_limit": limit, **more}


def admitted(house: House) -> Hold | None:
    """What is held for a request, or None when it is refused."""
    try:
        return house.open(sampling=TEN_TOKENS)
    except BudgetExceeded:
        return None


# Budgets


def test_without_bounds_nothing_is_asked_of_the_store() -> None:
    house = House()
    hold = house.open()
    hold.settle("one", Usage(uncached=10, output=10), 1.0)
    assert (hold.allowance, len(house.store.counters)) == (None, 0)


def test_what_a_request_may_cost_is_reserved_before_and_corrected_behind_it() -> None:
    house = House(budget=budget(1.0))
    hold = house.open(sampling=TEN_TOKENS)
    reserved = house.spent()["global hourly"]
    assert 0.001 < reserved < 0.0012, "ten tokens of an answer at 100, a few of the prompt as if written to a cache"
    hold.settle("one", Usage(uncached=4, output=2), 0.00024)
    assert house.spent()["global hourly"] == 0.00024


def test_no_more_is_let_in_at_once_than_there_is_money_for() -> None:
    house = House(budget=budget(0.0103))
    holds = list(takewhile(bool, (admitted(house) for _ in range(200))))
    assert len(holds) == 9
    assert holds[0] is not None
    holds[0].refund()
    holds.append(house.open(sampling=TEN_TOKENS))
    for hold in filter(None, holds):
        hold.settle("one", Usage(uncached=1, output=0), 0.00001)
    assert house.spent()["global hourly"] == pytest.approx(0.00009)


def test_what_was_refunded_leaves_nothing_and_a_second_settlement_does_nothing() -> None:
    house = House(budget=budget(1.0))
    hold = house.open(sampling=TEN_TOKENS)
    hold.refund()
    hold.settle("one", Usage(uncached=1, output=1), 0.5)
    assert house.spent()["global hourly"] == 0


def test_an_answer_of_which_the_client_says_nothing_is_reserved_as_its_provider_is_asked_for_it() -> None:
    house = House(budget={"hourly_limit": 10})
    house.answer_limits["one"] = 32_000
    house.open()
    assert house.spent()["global hourly"] == pytest.approx(3.2, abs=0.01)


def test_what_the_client_says_goes_ahead_of_what_its_provider_would_be_asked_for() -> None:
    house = House(budget={"hourly_limit": 10})
    house.answer_limits["one"] = 32_000
    house.open(sampling=TEN_TOKENS)
    assert house.spent()["global hourly"] < 0.01


def test_an_answer_without_max_tokens_is_reserved_with_what_the_settings_say() -> None:
    house = House(budget=budget(1.0, output_tokens=1000))
    house.open()
    assert house.spent()["global hourly"] == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("asked", [Sampling(max_tokens=128_000), Sampling()])
def test_no_more_is_reserved_for_an_answer_than_the_settings_allow(asked: Sampling) -> None:
    house = House(budget=budget(1.0, max_output_tokens=2000))
    house.answer_limits["one"] = 32_000
    hold = house.open(sampling=asked)
    assert house.spent()["global hourly"] == pytest.approx(0.2, rel=0.01)
    hold.settle("one", Usage(uncached=10, output=20_000), 2.0)
    assert house.spent()["global hourly"] == pytest.approx(2.0), "what it costs beyond that is counted all the same"
    with pytest.raises(BudgetExceeded):
        house.open(sampling=asked)


@pytest.mark.parametrize("larger", [5000, 5000.0])
def test_of_two_limits_of_an_answer_the_larger_one_is_reserved(larger: float) -> None:
    house = House(budget=budget(1.0))
    body = {"max_tokens": larger, "max_completion_tokens": 1}
    house.open(sampling=Sampling(max_tokens=1), native=Native("openai_chat", body))
    assert house.spent()["global hourly"] > 0.5


FAST = Native("anthropic_messages", {"speed": "fast", "inference_geo": "us", "service_tier": "auto"})


def test_a_wish_with_a_price_of_its_own_is_reserved_and_paid() -> None:
    house, plain = House(budget=budget(1.0)), House(budget=budget(1.0))
    dear = target()
    dear = replace(dear, info=replace(dear.info, surcharges={"speed=fast": 2.0, "inference_geo=us": 1.1}))
    house.open(dear, sampling=TEN_TOKENS, native=FAST)
    as_long = Native("anthropic_messages", {name[::-1]: value for name, value in FAST.body.items()})
    plain.open(dear, sampling=TEN_TOKENS, native=as_long)
    assert house.spent()["global hourly"] == pytest.approx(2.2 * plain.spent()["global hourly"])
    outcome, used = Outcome("m", stream=False), Usage(uncached=3, read=1, output=7)
    house.spending.note(outcome, dear, used, FAST.body)
    assert outcome.cost == 0.0016082
    outcome.dropped = ("speed", "inference_geo")
    house.spending.note(outcome, dear, used, FAST.body)
    assert outcome.cost == 0.000731


def test_a_wish_whose_price_nobody_knows_is_unknown_and_what_was_reserved_stays() -> None:
    house = House(budget=budget(1.0))
    hold = house.open(sampling=TEN_TOKENS, native=FAST)
    reserved, outcome = house.spent(), Outcome("m", stream=False)
    assert reserved["global hourly"] > 0.001
    house.spending.note(outcome, target(), Usage(uncached=3, output=7), FAST.body)
    assert outcome.cost is None
    hold.settle("one", outcome.usage, outcome.cost)
    assert house.spent() == reserved


def test_the_dearest_of_the_targets_is_reserved() -> None:
    house = House(budget=budget(1.0))
    house.open(target("free", "cheap", ()), target(), sampling=TEN_TOKENS)
    assert house.spent()["global hourly"] > 0.001


def test_a_refusal_says_whose_budget_it_is_what_was_spent_and_until_when() -> None:
    house = House(budget={"per_key": {"daily_limit": 0.0015}})
    house.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=10), 0.00101)
    with pytest.raises(BudgetExceeded) as refused:
        house.open(sampling=TEN_TOKENS)
    error, now = refused.value, house.clock.now()
    assert (error.status, error.type, error.code, error.retryable) == (
        429,
        "insufficient_quota",
        "budget_exceeded",
        False,
    )
    details = error.details or {}
    assert (details["scope"], details["name"], details["window"]) == ("key", "alice", "daily")
    assert (details["spent_usd"], details["limit_usd"]) == (0.00101, 0.0015)
    assert details["requested_usd"] > 0.001
    assert details["resets_at"].endswith("T00:00:00+00:00")
    assert error.retry_after == pytest.approx(DAY - now % DAY)
    assert "$0.00101 of $0.0015" in error.message


def test_a_request_that_may_cost_more_than_all_of_a_budget_is_not_told_to_come_back() -> None:
    house = House(budget=budget(0.001))
    with pytest.raises(BudgetExceeded, match="whole hourly budget of") as refused:
        house.open(sampling=TEN_TOKENS)
    assert (refused.value.retry_after, refused.value.retryable) == (None, False)
    assert (refused.value.details or {})["requested_usd"] > 0.001


def test_each_budget_comes_back_when_its_window_ends_and_not_before() -> None:
    house = House(budget={"hourly_limit": 0.0012, "daily_limit": 0.0023})
    house.clock.advance(HOUR - house.clock.now() % HOUR)
    spend = (Usage(uncached=1, output=10), 0.00101)
    house.open(sampling=TEN_TOKENS).settle("one", *spend)
    house.clock.advance(HOUR - 1)
    with pytest.raises(BudgetExceeded, match="hourly"):
        house.open(sampling=TEN_TOKENS)
    house.clock.advance(1)
    house.open(sampling=TEN_TOKENS).settle("one", *spend)
    house.clock.advance(HOUR)
    with pytest.raises(BudgetExceeded, match="daily"):
        house.open(sampling=TEN_TOKENS)
    house.clock.advance(DAY - house.clock.now() % DAY)
    house.open(sampling=TEN_TOKENS)


def test_what_is_settled_in_a_later_window_changes_that_of_its_reservation_only() -> None:
    house = House(budget={"hourly_limit": 1.0, "daily_limit": 1.0})
    house.clock.advance(HOUR - house.clock.now() % HOUR + 3599)
    hold = house.open(sampling=TEN_TOKENS)
    house.clock.advance(2)
    hold.settle("one", Usage(uncached=1, output=2), 0.5)
    assert house.spent() == {"global hourly": 0.0, "global daily": 0.5}


def test_what_a_clock_that_is_behind_reserves_of_a_new_window_comes_back() -> None:
    ahead = House(budget={"hourly_limit": 1.0, "daily_limit": 1.0})
    behind = House(budget={"hourly_limit": 1.0, "daily_limit": 1.0}, store=ahead.store)
    ahead.clock.advance(DAY - ahead.clock.now() % DAY)
    ahead.open(sampling=TEN_TOKENS).refund()
    behind.clock.advance(DAY - behind.clock.now() % DAY - 0.3)
    hold = behind.open(sampling=TEN_TOKENS)
    assert min(behind.spent().values()) > 0
    behind.clock.advance(10)
    hold.refund()
    assert ahead.spent() == {"global hourly": 0.0, "global daily": 0.0}


def test_callers_have_budgets_of_their_own_and_one_in_common() -> None:
    house = House(budget={"hourly_limit": 0.0030, "per_key": {"hourly_limit": 0.0015}, "keys": {"bob": {}}})
    house.open(sampling=TEN_TOKENS)
    with pytest.raises(BudgetExceeded, match="this key"):
        house.open(sampling=TEN_TOKENS)
    house.open(caller=BOB, sampling=TEN_TOKENS)
    with pytest.raises(BudgetExceeded, match="all callers together"):
        house.open(caller=BOB, sampling=TEN_TOKENS)


def test_a_target_without_room_is_refused_and_another_is_not() -> None:
    house = House(
        budget={"providers": {"one": {"hourly_limit": 0.0015}}, "models": {"dear*": {"hourly_limit": 0.0015}}}
    )
    hold = house.open(sampling=TEN_TOKENS)
    hold.admit(target("one"))
    for full in (target("one"), target("two", "dear-1")):
        other = house.open(sampling=TEN_TOKENS)
        if full.provider == "two":
            other.admit(full)
            other = house.open(sampling=TEN_TOKENS)
        with pytest.raises(BudgetExceeded, match=f"{full.provider if full.provider == 'one' else full.model}"):
            other.admit(full)
        other.admit(target("three"))


def test_a_target_that_failed_gives_back_what_was_reserved_for_it() -> None:
    house = House(budget={"providers": {"one": {"hourly_limit": 0.0015}}})
    hold = house.open(sampling=TEN_TOKENS)
    hold.admit(target("one"))
    hold.admit(target("one"))
    hold.admit(target("two"))
    house.open(sampling=TEN_TOKENS).admit(target("one"))


def test_what_nobody_pays_for_is_not_taken_from_a_budget() -> None:
    house = House(budget=budget(0.0001), flat=frozenset({"plan"}))
    house.open(target("plan"), sampling=TEN_TOKENS).settle("plan", Usage(uncached=9, output=9), 0.9)
    assert house.spent()["global hourly"] == 0


def test_an_unknown_price_counts_as_the_dearest_that_is_known_of_its_provider() -> None:
    unpriced, house = target("one", "new-model", ()), House(budget=budget(1.0))
    hold = house.open(unpriced, sampling=Sampling(max_tokens=1000))
    assert 0.2 < house.spent()["global hourly"] < 0.21
    outcome, used = Outcome("m", stream=False), Usage(uncached=100, read=400, output=100)
    house.spending.note(outcome, unpriced, used, {})
    assert outcome.cost is None, "what nobody knows stays unknown"
    hold.settle("one", used, outcome.paid)
    assert house.spent()["global hourly"] == pytest.approx(0.03)
    with pytest.raises(BudgetExceeded):
        house.open(unpriced, sampling=Sampling(max_tokens=5000))


def test_a_wish_of_unknown_price_is_not_free_either() -> None:
    house, outcome, used = House(budget=budget(1.0)), Outcome("m", stream=False), Usage(uncached=100, output=100)
    hold = house.open(sampling=TEN_TOKENS, native=FAST)
    house.spending.note(outcome, target(), used, FAST.body)
    hold.settle("one", used, outcome.paid)
    assert (outcome.cost, house.spent()["global hourly"]) == (None, pytest.approx(0.022))


DEAR = (Price(date(2020, 1, 1), input=100.0, output=1000.0),)
EITHER = Native("openai_chat", {"models": ["m", "dear"], "route": "fallback"})


def test_of_several_models_that_may_answer_the_dearest_is_reserved_and_paid() -> None:
    house, outcome, used = House(budget=budget(1.0)), Outcome("m", stream=False), Usage(uncached=100, output=100)
    house.named = {"dear": DEAR, "m": PRICES}
    hold = house.open(sampling=Sampling(max_tokens=100), native=EITHER)
    assert 0.1 < house.spent()["global hourly"] < 0.11
    house.spending.note(outcome, target(), used, EITHER.body)
    hold.settle("one", used, outcome.paid)
    assert (outcome.cost, house.spent()["global hourly"]) == (pytest.approx(0.11), pytest.approx(0.11))


@pytest.mark.parametrize(
    ("answered", "whose", "cost"),
    [
        ("m", "m", 0.011),
        ("DEAR", "dear", 0.11),
        ("m-2026-01-01", "m", 0.011),
        ("other", "m", 0.11),
        (None, "m", 0.11),
    ],
)
def test_the_one_that_the_provider_names_is_paid(answered: str | None, whose: str, cost: float) -> None:
    house, outcome, used = House(budget=budget(1.0)), Outcome("m", stream=False), Usage(uncached=100, output=100)
    house.named, house.issues = {"dear": DEAR, "m": PRICES}, {"m-2026-01-01": "m"}
    hold = house.open(sampling=Sampling(max_tokens=100), native=EITHER)
    assert 0.1 < house.spent()["global hourly"] < 0.11
    house.spending.note(outcome, target(), used, EITHER.body, answered)
    hold.settle("one", used, outcome.paid)
    assert (outcome.billed_model, outcome.cost) == (whose, pytest.approx(cost))
    assert house.spent()["global hourly"] == pytest.approx(cost)


def test_where_several_had_a_share_in_an_answer_the_dearest_is_paid_whoever_signs_it() -> None:
    house, outcome, used = House(budget=budget(1.0)), Outcome("m", stream=False), Usage(uncached=100, output=100)
    house.named = {"dear": DEAR, "openrouter/fusion": PRICES}
    body = {"plugins": [{"id": "fusion", "analysis_models": ["dear"]}]}
    house.spending.note(outcome, target(), used, body, "m")
    assert outcome.cost == pytest.approx(0.11)


@pytest.mark.parametrize("field", [{"n": 3}, {"best_of": 3.0}, {"best_of": "3", "n": 1}, {"num_return_sequences": 3}])
def test_each_of_several_answers_to_one_request_is_reserved(field: dict[str, Any]) -> None:
    house, single = (House({"tokens_per_minute": 10**6}, budget(1.0)) for _ in range(2))
    native = Native("openai_chat", field)
    hold = house.open(sampling=Sampling(max_tokens=1000), native=native)
    one = single.open(sampling=Sampling(max_tokens=1000), native=Native("openai_chat", {"x": 3}))
    more = house.spent()["global hourly"] - single.spent()["global hourly"]
    assert more == pytest.approx(0.2, rel=0.01), "two more of a thousand tokens at 100 dollars a million"
    assert hold.allowance is not None
    assert one.allowance is not None
    assert one.allowance.remaining - hold.allowance.remaining == pytest.approx(2000, abs=10)


@pytest.mark.parametrize("said", [None, True, -1, 0, -(10**30), "many", "9" * 6000, 1e300, [3]])
def test_a_number_of_answers_that_is_none_breaks_nothing(said: object) -> None:
    house = House({"tokens_per_minute": 10**9}, budget(10**6))
    house.open(sampling=TEN_TOKENS, native=Native("openai_chat", {"best_of": said}))
    assert house.spent()["global hourly"] > 0.001, "at least one answer is reserved"


def test_one_of_unknown_price_among_them_counts_as_the_dearest_of_its_provider() -> None:
    house, outcome = House(budget=budget(1.0)), Outcome("m", stream=False)
    house.named = {"dear": DEAR}
    house.open(sampling=Sampling(max_tokens=100), native=EITHER)
    house.spending.note(outcome, target(), Usage(uncached=100, output=100), EITHER.body)
    assert (outcome.cost, outcome.paid) == (None, pytest.approx(0.11))


def test_each_of_them_counts_for_its_own_budget() -> None:
    house = House(budget={"models": {"dear": {"hourly_limit": 0.05}}})
    house.named = {"dear": DEAR, "m": PRICES}
    house.open(sampling=Sampling(max_tokens=100)).admit(target())
    with pytest.raises(BudgetExceeded):
        house.open(sampling=Sampling(max_tokens=100), native=EITHER).admit(target())


def test_texts_that_become_vectors_are_reserved_at_the_dearest_too() -> None:
    house = House(budget=budget(1.0))
    house.named = {"dear": DEAR}
    origin = Origin("req-1", 0.0, caller=ALICE, ip="10.0.0.1")
    house.spending.open_texts(1000, {"models": ["dear"]}, origin, [target()])
    assert house.spent()["global hourly"] == pytest.approx(0.1)


def test_what_no_price_is_known_of_at_all_is_refused() -> None:
    house = House(budget=budget(1.0))
    house.dearest["one"] = Price(date(2020, 1, 1))
    with pytest.raises(Unpriced):
        house.open(target("one", "new-model", ()), sampling=TEN_TOKENS)


def test_an_unknown_price_is_let_through_or_refused_where_that_is_said() -> None:
    unpriced = target("one", "new-model", ())
    house = House(budget=budget(0.001, unknown_price="allow"))
    house.open(unpriced, sampling=TEN_TOKENS)
    assert house.spent()["global hourly"] == 0
    strict = House(budget=budget(0.001, unknown_price="refuse"))
    with pytest.raises(Unpriced, match="new-model") as refused:
        strict.open(unpriced, sampling=TEN_TOKENS)
    assert refused.value.status == 403


def test_an_answer_whose_cost_nobody_knows_costs_what_was_reserved_for_it() -> None:
    house = House(rates={"tokens_per_minute": 1000}, budget=budget(1.0, unknown_price="allow"))
    unpriced = target("one", "new-model", ())
    hold = house.open(target(), unpriced, sampling=TEN_TOKENS)
    reserved = house.spent()["global hourly"]
    hold.settle("one", Usage(uncached=500, output=100), None)
    assert house.spent()["global hourly"] == reserved > 0.001
    allowance = house.open(sampling=TEN_TOKENS).allowance
    assert allowance is not None
    assert allowance.remaining < 400, "tokens are known"


def test_what_costs_nothing_by_a_flat_fee_is_given_back_though_its_price_is_unknown() -> None:
    house = House(budget=budget(1.0), flat=frozenset({"plan"}))
    hold = house.open(target(), target("plan", "new-model", ()), sampling=TEN_TOKENS)
    hold.settle("plan", Usage(uncached=5, output=1), None)
    assert house.spent()["global hourly"] == 0


def test_the_dearer_tier_is_reserved_when_the_prompt_may_reach_it() -> None:
    tiers = (*PRICES, Price(date(2020, 1, 1), input=1000.0, output=1000.0, above=100))
    for words, is_dear in ((50, False), (85, True), (130, True)):
        house = House(budget=budget(10.0))
        house.open(target(prices=tiers), sampling=TEN_TOKENS, text="word" * words)
        assert (house.spent()["global hourly"] > 0.05) is is_dear


def test_a_tier_between_two_others_is_reserved_as_well() -> None:
    steep = Price(date(2020, 1, 1), input=1000.0, output=1000.0, above=100)
    house = House(budget=budget(10.0))
    house.open(target(prices=(*PRICES, steep, replace(PRICES[0], above=101))), sampling=TEN_TOKENS, text="word" * 85)
    assert house.spent()["global hourly"] > 0.05


def test_a_prompt_is_reserved_as_if_all_of_it_were_written_to_the_dearest_cache() -> None:
    house = House(budget=budget(10.0))
    house.open(sampling=TEN_TOKENS, text="word" * 1000)
    assert house.spent()["global hourly"] == pytest.approx(0.021, rel=0.02)


def test_with_the_store_away_budgets_are_open_or_closed_as_the_settings_say() -> None:
    house = House(budget=budget(1.0, on_store_failure="closed"))
    house.open()
    house.store.degraded = True
    with pytest.raises(StoreUnavailable):
        house.open()
    willing = House(budget=budget(1.0))
    willing.store.degraded = True
    willing.open()


def away(workers: int) -> DictStore:
    """A store whose home is away, as nobody knows yet: what is taken of its windows is this worker's share."""
    home, store = DictStore(), DictStore()
    home.counters.take = home.counters.correct = gone  # type: ignore[method-assign] # fails as redis would
    resilient = ResilientStore(home, FakeClock())
    resilient.expect(workers)
    store.counters = resilient.counters  # type: ignore[assignment] # another home of the same contract
    return store


def gone(*_: Any, **__: Any) -> Any:
    raise StoreUnavailable("away")


def test_who_finds_out_that_the_store_is_away_is_refused_as_well_where_budgets_are_closed() -> None:
    house = House(budget=budget(1.0, on_store_failure="closed"), store=away(1))
    with pytest.raises(StoreUnavailable):
        house.open()


def test_a_worker_alone_tells_its_share_of_a_limit_and_takes_nothing_for_spent_that_is_not() -> None:
    settings = budget(0.1, soft_landing={"share": 0.5, "models": {"m": "cheap"}})
    with capture_logs() as logs:
        house = House(rates={"tokens_per_minute": 10_000}, budget=settings, store=away(10))
        hold = house.open(sampling=TEN_TOKENS)
        assert hold.allowance is not None
        assert (hold.allowance.limit, hold.allowance.remaining > 900) == (1000, True), "what is shown is enforced"
        assert house.spent()["global hourly"] < 0.002
        assert not house.spending.near_its_end(ALICE, "10.0.0.1")
        hold.settle("one", Usage(uncached=4, output=2), 0.00024)
        assert house.spent()["global hourly"] == 0.00024
    assert not [log for log in logs if log["event"] == "budget_nearly_spent"]


def test_what_was_spent_beyond_a_budget_is_told() -> None:
    house = House(budget=budget(0.01))
    house.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=500), 0.05)
    assert house.spent()["global hourly"] == 0.05
    with pytest.raises(BudgetExceeded, match=r"\$0\.05 of \$0\.01"):
        house.open(sampling=TEN_TOKENS)


def test_operators_see_the_budgets_of_providers_too() -> None:
    house = House(budget={"hourly_limit": 1.0, "providers": {"one": {"daily_limit": 2.0}}})
    house.open(sampling=TEN_TOKENS).admit(target("one"))
    assert [one.scope for one in house.spending.budgets(ALICE, "")] == ["global"]
    seen = {one.scope: one for one in house.spending.shared_budgets([])}
    assert (seen["provider"].name, seen["provider"].limit_usd) == ("one", 2.0)
    assert seen["provider"].spent_usd > 0.001


def test_operators_see_the_budgets_of_models_by_any_of_their_names() -> None:
    house = House(budget={"models": {"m": {"daily_limit": 1.0}, "also-*": {"daily_limit": 2.0}}})
    other, unused = target("one", "x"), target("one", "also-unused")
    aliased = replace(other, info=replace(other.info, aliases=("also-x",)))
    for one in (target(), aliased):
        house.open(one, sampling=TEN_TOKENS).admit(one)
    seen = {one.name: one for one in house.spending.shared_budgets([target().info, aliased.info, unused.info])}
    assert {name: one.limit_usd for name, one in seen.items()} == {"m": 1.0, "x": 2.0}
    assert all(one.scope == "model" and one.spent_usd > 0.001 for one in seen.values())


# Warnings and soft landings


def test_a_budget_that_is_nearly_spent_is_told_once_over_all_workers() -> None:
    with capture_logs() as logs:
        first = House(budget=budget(0.01))
        second = House(budget=budget(0.01), store=first.store, clock=first.clock)
        first.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=10), 0.0079)
        assert logs == []
        for worker in (first, second, first, second):
            worker.open(sampling=TEN_TOKENS).refund()
        assert [(log["event"], log["scope"], log["window"]) for log in logs] == [
            ("budget_nearly_spent", "global", "hourly")
        ]
        assert 0.89 < logs[0]["share"] < 0.91
        first.clock.advance(HOUR)
        first.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=10), 0.0079)
        first.open(sampling=TEN_TOKENS)
        assert len(logs) == 2


def test_landing_begins_at_its_share_and_ends_with_the_window() -> None:
    settings = budget(0.01, soft_landing={"share": 0.9, "models": {"m": "cheap"}})
    house = House(budget=settings)
    house.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=10), 0.0088)
    house.spent()
    assert not house.spending.near_its_end(ALICE, "10.0.0.1")
    house.open(sampling=TEN_TOKENS)
    assert house.spending.near_its_end(ALICE, "10.0.0.1")
    house.clock.advance(HOUR)
    assert not house.spending.near_its_end(ALICE, "10.0.0.1")


def test_what_was_reserved_and_not_spent_lands_nobody() -> None:
    house = House(budget=budget(0.01, soft_landing={"share": 0.9, "models": {"m": "cheap"}}))
    hold = house.open(sampling=Sampling(max_tokens=95))
    assert house.spending.near_its_end(ALICE, "10.0.0.1"), "as long as it may be spent"
    hold.settle("one", Usage(uncached=1, output=10), 0.001)
    assert not house.spending.near_its_end(ALICE, "10.0.0.1")
    house.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=85), 0.0085)
    assert house.spending.near_its_end(ALICE, "10.0.0.1")


def test_the_fullest_budget_of_each_scope_is_a_metric() -> None:
    house = House(budget=budget(0.01, per_key={"daily_limit": 0.002}))
    house.open(sampling=TEN_TOKENS).settle("one", Usage(uncached=1, output=10), 0.001)
    house.spent()
    house.watch.gauge()
    metrics = house.metrics.render().decode()
    assert 'glm_budget_used_ratio{scope="global",window="hour"} 0.1' in metrics
    assert 'glm_budget_used_ratio{scope="key",window="day"} 0.5' in metrics


# Tokens


@pytest.mark.parametrize("algorithm", ["sliding", "bucket"])
def test_tokens_are_reserved_before_and_corrected_behind_a_request(algorithm: str) -> None:
    house = House(rates={"tokens_per_minute": 1000, "algorithm": algorithm})
    hold = house.open(sampling=Sampling(max_tokens=600))
    assert hold.allowance is not None
    assert (hold.allowance.limit, 380 < hold.allowance.remaining < 400) == (1000, True)
    with pytest.raises(RateLimited) as refused:
        house.open(sampling=Sampling(max_tokens=600))
    assert (refused.value.details or {})["unit"] == "tokens"
    assert 0 < (refused.value.retry_after or 0) <= 60
    hold.settle("one", Usage(uncached=3, output=7), None)
    second = house.open(sampling=Sampling(max_tokens=600))
    assert second.allowance is not None
    assert 370 < second.allowance.remaining < 390


def test_an_answer_is_reserved_with_what_it_may_be_up_to_a_bound() -> None:
    house = House(rates={"tokens_per_minute": 1000, "output_tokens": 100})
    for _ in range(9):
        house.open(sampling=Sampling(max_tokens=32_000))
    with pytest.raises(RateLimited):
        house.open(sampling=Sampling(max_tokens=32_000))


def test_a_request_that_is_larger_than_the_limit_is_not_told_to_come_back() -> None:
    with pytest.raises(RateLimited) as refused:
        House(rates={"tokens_per_minute": 10}).open(text="word " * 100)
    error = refused.value
    assert (error.code, error.retryable, error.retry_after) == ("request_too_large", False, None)


def test_a_key_may_have_limits_of_its_own() -> None:
    small = Caller("c", "carol", "user", limits=CallerLimits(tokens_per_minute=50))
    house = House(rates={"tokens_per_minute": 10_000})
    house.open(sampling=TEN_TOKENS)
    with pytest.raises(RateLimited):
        house.open(caller=small, sampling=Sampling(max_tokens=60))


def test_a_keys_own_budget_stands_in_the_place_of_the_same_windows_alone() -> None:
    settings = {"per_key": {"hourly_limit": 1, "daily_limit": 10}, "keys": {"bob": {"daily_limit": 20}}}
    house = House(budget=settings)

    def limits(caller: Caller) -> dict[str, float]:
        return {one.window: one.limit_usd for one in house.spending.budgets(caller, "10.0.0.1")}

    assert limits(ALICE) == {"hourly": 1, "daily": 10}
    assert limits(replace(ALICE, hourly_budget=50.0)) == {"hourly": 50, "daily": 10}
    assert limits(replace(ALICE, daily_budget=5.0)) == {"hourly": 1, "daily": 5}
    assert limits(replace(BOB, hourly_budget=2.0)) == {"hourly": 2, "daily": 20}


def test_a_token_has_the_budget_of_its_own_id_and_of_no_key_that_is_called_what_it_says() -> None:
    token = Caller("jwt_1", "bob", "user", signed=True)
    settings = {"per_key": {"daily_limit": 1}, "keys": {"bob": {"daily_limit": 20}, "jwt_2": {"daily_limit": 5}}}
    house = House(budget=settings)

    def limits(caller: Caller) -> list[float]:
        return [one.limit_usd for one in house.spending.budgets(caller, "10.0.0.1")]

    assert limits(BOB) == [20]
    assert limits(token) == [1]
    assert limits(replace(token, id="jwt_2")) == [5]


def test_an_address_is_limited_whoever_uses_it() -> None:
    house = House(rates={"tokens_per_minute_per_ip": 100})
    house.open(caller=ALICE, sampling=Sampling(max_tokens=60))
    with pytest.raises(RateLimited, match="this address"):
        house.open(caller=BOB, sampling=Sampling(max_tokens=60))


@pytest.mark.parametrize(
    ("ip", "whose"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("unix:", "unix:"),
    ],
)
def test_who_has_many_addresses_is_counted_once(ip: str, whose: str) -> None:
    assert connection_of(ip) == whose
    (bound,) = House(rates={"requests_per_minute_per_ip": 5}).bounds.requests(ALICE, ip)
    assert bound.id == whose
    (bound,) = House(rates={"requests_per_minute": 5}).bounds.requests(None, ip)
    assert bound.id == f"anonymous:{whose}"


def test_providers_and_models_are_limited_for_all_callers_together() -> None:
    house = House(
        rates={"providers": {"one": {"requests_per_minute": 1}}, "models": {"M*": {"tokens_per_minute": 500}}}
    )
    house.open(caller=ALICE, sampling=TEN_TOKENS).admit(target())
    second = house.open(caller=BOB, sampling=TEN_TOKENS)
    with pytest.raises(RateLimited, match="the provider one"):
        second.admit(target())
    second.admit(target("two"))
    with pytest.raises(RateLimited, match="the model m"):
        house.open(sampling=Sampling(max_tokens=490)).admit(target("two"))


def issue(name: str) -> Target:
    """The target for a name that says one issue of m."""
    route = Route("one", "openai-compatible", listed({name}))
    return route.issue(route.unknown(name), target().info)


def test_all_issues_of_a_model_and_all_spellings_have_its_limits_and_budget_in_common() -> None:
    house = House(rates={"models": {"m": {"requests_per_minute": 3}}}, budget={"models": {"m": {"daily_limit": 0.01}}})
    for one in (target(), issue("m-0613"), issue("M-latest")):
        house.open(one, sampling=TEN_TOKENS).admit(one)
    with pytest.raises(RateLimited, match="the model m"):
        house.open(sampling=TEN_TOKENS).admit(issue("m-0614"))
    (seen,) = house.spending.shared_budgets([target().info])
    assert seen.spent_usd > 0.003, "operators see the spending on issues too"
    odd = House(rates={"models": {"M*": {"requests_per_minute": 1}}})
    odd.open().admit(target("one", "mystery"))
    with pytest.raises(RateLimited):
        odd.open().admit(target("one", "Mystery"))


def test_an_issue_that_the_settings_name_has_a_limit_of_its_own() -> None:
    house = House(rates={"models": {"m-0613": {"requests_per_minute": 1}, "m": {"requests_per_minute": 1}}})
    house.open().admit(target())
    house.open().admit(issue("m-0613"))
    with pytest.raises(RateLimited, match="the model m-0613"):
        house.open().admit(issue("m-0613"))


# Streams


def test_a_key_has_so_many_streams_at_a_time() -> None:
    house = House(rates={"concurrent_streams": 2})
    holds = [house.open(stream=True) for _ in range(2)]
    house.open(stream=False)
    house.open(caller=BOB, stream=True)
    with pytest.raises(RateLimited) as refused:
        house.open(stream=True)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_streams", 1.0)
    holds[0].close()
    holds[0].close()
    house.open(stream=True)
    with pytest.raises(RateLimited):
        house.open(stream=True)


def test_a_long_stream_keeps_its_place_and_a_dead_workers_is_free_after_a_while() -> None:
    alive = House(rates={"concurrent_streams": 2})
    dead = House(rates={"concurrent_streams": 2}, store=alive.store, clock=alive.clock)
    alive.open(stream=True)
    dead.open(stream=True)
    for _ in range(5):
        alive.clock.advance(15)
        alive.slots.renew()
    alive.open(stream=True)
    with pytest.raises(RateLimited):
        alive.open(stream=True)


def test_a_stream_that_is_refused_for_another_reason_holds_no_place() -> None:
    house = House(rates={"concurrent_streams": 1, "tokens_per_minute": 50})
    with pytest.raises(RateLimited, match="tokens"):
        house.open(stream=True, sampling=Sampling(max_tokens=60))
    house.open(stream=True, sampling=TEN_TOKENS)
