"""What an answer cost; unknown is never zero."""

from datetime import date

import pytest

from core.pricing import cost_of
from schemas.model import Price
from schemas.usage import Usage

PRICE = Price(date(2026, 1, 1), input=2.0, cached=0.5, output=10.0)


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(uncached=1_000_000, read=2_000_000, output=500_000, reasoning=400_000)
    assert cost_of(usage, PRICE) == pytest.approx(2 + 1 + 5)


def test_cached_tokens_without_a_price_of_their_own_cost_what_others_do() -> None:
    price = Price(date(2026, 1, 1), input=2.0, output=10.0)
    assert cost_of(Usage(uncached=0, read=1_000_000, output=0), price) == pytest.approx(2)


def test_what_is_free_costs_nothing() -> None:
    free = Price(date(2026, 1, 1), input=0.0, cached=0.0, output=0.0)
    assert cost_of(Usage(uncached=10, read=5, output=3), free) == 0


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (None, PRICE),
        (Usage(uncached=1, output=1), None),
        (Usage(uncached=1), PRICE),
        (Usage(output=1), PRICE),
        (Usage(uncached=1, output=1), Price(date(2026, 1, 1), input=2.0)),
        (Usage(uncached=1, output=1), Price(date(2026, 1, 1), output=10.0)),
        (Usage(uncached=0, read=1, output=1), Price(date(2026, 1, 1), output=10.0)),
    ],
)
def test_a_cost_of_which_a_part_is_unknown_is_unknown(usage: Usage | None, price: Price | None) -> None:
    assert cost_of(usage, price) is None


def test_a_price_that_is_not_needed_may_be_unknown() -> None:
    price = Price(date(2026, 1, 1), input=2.0)
    assert cost_of(Usage(uncached=1_000_000, output=0), price) == pytest.approx(2)
