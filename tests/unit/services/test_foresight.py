"""What is foreseen of limits and budgets is what happens, and foreseeing costs nothing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from core.errors import GatewayError, StoreUnavailable, Unpriced
from schemas.chat import ChatRequest, Message, Sampling, TextPart
from schemas.model import Target
from schemas.origin import Origin
from tests.unit.services.chat_kit import chat_request
from tests.unit.services.spending_kit import ALICE, House, target

HERE = Origin("req-1", 0.0, caller=ALICE, ip="10.0.0.1")


def asked(text: str = "Hi", **fields: Any) -> ChatRequest:
    request = chat_request(sampling=Sampling(max_tokens=10), **fields)
    return replace(request, messages=(Message("user", (TextPart(text),)),))


def refusal(house: House, request: ChatRequest, one: Target) -> GatewayError | None:
    """What a request meets that is held from now on if it is let in."""
    try:
        house.spending.open(request, HERE, [one]).admit(one)
    except GatewayError as error:
        return error
    return None


def foreseen(house: House, request: ChatRequest, one: Target) -> GatewayError | None:
    return house.foresight.of_caller(request, HERE, [one]) or house.foresight.of_target(request, one)


@pytest.mark.parametrize("algorithm", ["sliding", "bucket"])
@pytest.mark.parametrize(
    ("rates", "budget"),
    [
        ({"tokens_per_minute": 30}, {}),
        ({"tokens_per_minute": 5}, {}),
        ({"tokens_per_minute_per_ip": 30}, {}),
        ({"models": {"m": {"requests_per_minute": 2}}}, {}),
        ({"providers": {"one": {"tokens_per_minute": 30}}}, {}),
        ({"concurrent_streams": 2}, {}),
        ({}, {"hourly_limit": 0.003}),
        ({}, {"keys": {"alice": {"daily_limit": 0.003}}}),
        ({}, {"models": {"m": {"daily_limit": 0.003}}}),
        ({}, {"providers": {"one": {"hourly_limit": 0.003}}}),
    ],
    ids=str,
)
def test_what_is_foreseen_happens(rates: Mapping[str, Any], budget: Mapping[str, Any], algorithm: str) -> None:
    house = House({**rates, "algorithm": algorithm}, budget)
    met = [agreed(house, target()) for _ in range(5)]
    assert None in met or rates == {"tokens_per_minute": 5}
    assert any(met)


@pytest.mark.parametrize("limit", [{"hourly_limit": 1}, {"providers": {"one": {"hourly_limit": 1}}}], ids=str)
@pytest.mark.parametrize("unknown", ["refuse", "allow", "dearest"])
def test_an_unknown_price_is_foreseen(limit: Mapping[str, Any], unknown: str) -> None:
    met = agreed(House(budget={**limit, "unknown_price": unknown}), target("one", "new-model", ()))
    assert isinstance(met, Unpriced) == (unknown == "refuse")


def test_what_is_not_bounded_is_let_through() -> None:
    house = House({"models": {"other": {"requests_per_minute": 1}}})
    assert [agreed(house, target()) for _ in range(3)] == [None] * 3


def agreed(house: House, one: Target) -> GatewayError | None:
    """What a request meets, which is what was foreseen of it each time."""
    request = asked(stream=True)
    told = [foreseen(house, request, one) for _ in range(3)]
    met = refusal(house, request, one)
    for error in told:
        assert (type(error), str(error)) == (type(met), str(met))
        assert error is None or met is None or (error.details, error.retry_after) == (met.details, met.retry_after)
    house.clock.advance(1)
    return met


def test_of_several_limits_the_one_that_is_in_the_way_for_longest_is_told() -> None:
    house = House({"tokens_per_minute": 60}, {"hourly_limit": 0.003})
    while refusal(house, asked(), target()) is None:
        continue
    told = foreseen(house, asked("word " * 30), target())
    assert told is not None
    assert told.code == "budget_exceeded"


def test_nothing_is_counted_as_refused_and_nobody_is_warned() -> None:
    house = House({"models": {"m": {"requests_per_minute": 1}}}, {"hourly_limit": 0.0012})
    house.open(sampling=Sampling(max_tokens=10)).admit(target())
    before = house.metrics.render()
    assert foreseen(house, asked(), target()) is not None
    assert house.metrics.render() == before


def test_requests_a_minute_are_foreseen_though_others_count_them() -> None:
    house = House({"requests_per_minute": 1})
    assert house.foresight.of_caller(asked(), HERE, []) is None
    (bound,) = house.bounds.requests(ALICE, "10.0.0.1")
    house.store.counters.take([bound.window(1)], house.clock.now())
    told = house.foresight.of_caller(asked(), HERE, [])
    assert told is not None
    assert told.details is not None
    assert (told.details["unit"], told.details["scope"]) == ("requests", "key")


@pytest.mark.parametrize("scope", ["hourly_limit", "providers"])
def test_with_the_store_away_closed_budgets_refuse(scope: str) -> None:
    limit = {"hourly_limit": 1.0} if scope == "hourly_limit" else {"providers": {"one": {"hourly_limit": 1.0}}}
    house = House(budget={**limit, "on_store_failure": "closed"})
    assert foreseen(house, asked(), target()) is None
    house.store.degraded = True
    assert isinstance(foreseen(house, asked(), target()), StoreUnavailable)
