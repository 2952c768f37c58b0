"""What an answer cost; unknown is never zero."""

from dataclasses import replace
from datetime import date

import pytest

from core.catalogue import Catalogue, load_catalogue
from core.pricing import cost_of, dearest
from schemas.model import ModelInfo, Price
from schemas.usage import Usage

PRICE = Price(date(2026, 1, 1), input=2.0, cached=0.5, output=10.0)
WRITTEN = Price(date(2026, 1, 1), input=2.0, cached=0.5, output=10.0, write_short=2.5, write_long=4.0)
TODAY = date(2026, 11, 25)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(uncached=1_000_000, read=2_000_000, output=500_000, reasoning=400_000)
    assert cost_of(usage, PRICE) == pytest.approx(2 + 1 + 5)
    written = Usage(uncached=1_000_000, read=2_000_000, write_short=3_000_000, write_long=4_000_000, output=500_000)
    assert cost_of(written, WRITTEN) == pytest.approx(2 + 1 + 7.5 + 16 + 5)


def test_cached_tokens_without_a_known_price_have_no_known_cost() -> None:
    price = Price(date(2026, 1, 1), input=2.0, output=10.0)
    assert cost_of(Usage(uncached=0, read=1_000_000, output=0), price) is None
    assert cost_of(Usage(uncached=1_000_000, read=0, output=0), price) == pytest.approx(2)


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
        (Usage(uncached=1, write_short=1, output=1), PRICE),
        (Usage(uncached=1, write_long=1, output=1), PRICE),
    ],
)
def test_a_cost_of_which_a_part_is_unknown_is_unknown(usage: Usage | None, price: Price | None) -> None:
    assert cost_of(usage, price) is None


def test_a_price_that_is_not_needed_may_be_unknown() -> None:
    price = Price(date(2026, 1, 1), input=2.0)
    assert cost_of(Usage(uncached=1_000_000, write_short=0, write_long=0, output=0), price) == pytest.approx(2)


def test_a_prompt_that_was_only_written_to_the_cache_has_its_cost() -> None:
    assert cost_of(Usage(write_short=1_000_000, output=0), WRITTEN) == pytest.approx(2.5)


def of(model: str, usage: Usage, catalogue: Catalogue) -> float:
    """What `usage` costs at `model`, by the price for a prompt as long as that."""
    cost = cost_of(usage, catalogue.find(model).price_on(TODAY, usage.prompt))
    assert cost is not None
    return cost


def test_the_worked_example_of_a_written_prompt(catalogue: Catalogue) -> None:
    actual = Usage(uncached=200, read=0, write_short=60_500, write_long=0, output=0)
    expected = Usage(uncached=200, read=60_000, write_short=500, write_long=0, output=0)
    assert of("claude-opus-5-5", actual, catalogue) == pytest.approx(0.3033)
    assert of("claude-opus-5-5", expected, catalogue) == pytest.approx(0.0153)


@pytest.mark.parametrize(
    ("model", "actual", "kept", "loss"),
    [
        ("glm-5.3", Usage(50_000, 0), Usage(2_000, 48_000), 0.05472),
        ("glm-5.3", Usage(37_200, 12_800), Usage(2_000, 48_000), 0.040128),
        ("claude-opus-5-5", Usage(200, 0, 60_500), Usage(200, 60_000, 500), 0.288),
        ("claude-opus-5-5", Usage(200, 0, 0, 60_500), Usage(200, 60_000, 0, 500), 0.468),
        ("claude-opus-5-5", Usage(60_700, 0), Usage(700, 60_000), 0.228),
        ("claude-haiku-5-5", Usage(0, 0, 80_000), Usage(0, 80_000), 0.0092),
        ("claude-haiku-5-5", Usage(0, 0, 150_000), Usage(0, 150_000), 0.08625),
        ("gpt-6.1-sol", Usage(0, 0, 100_352), Usage(0, 100_000, 352), 0.24),
        ("gpt-6.1-sol", Usage(100_000, 0), Usage(0, 100_000), 0.19),
        ("gpt-5.2", Usage(100_000, 0), Usage(0, 100_000), 0.1575),
        ("gpt-oss-120b", Usage(20_000, 0), Usage(0, 20_000), 0.0015),
        ("grok-4.7", Usage(100_000, 0), Usage(0, 100_000), 0.15),
        ("gemini-4-argon", Usage(100_000, 0), Usage(0, 100_000), 0.19),
        ("gemini-3.1-pro-preview", Usage(250_000, 0), Usage(0, 250_000), 0.90),
        ("deepseek-v4-flash", Usage(100_000, 0), Usage(0, 100_000), 0.0294),
    ],
)
def test_a_lost_cache_costs_what_the_worked_examples_say(
    catalogue: Catalogue, model: str, actual: Usage, kept: Usage, loss: float
) -> None:
    answered = of(model, replace(actual, output=0), catalogue)
    assert answered - of(model, replace(kept, output=0), catalogue) == pytest.approx(loss)


def test_the_dearest_price_of_a_model_may_be_that_of_a_tier_between_others() -> None:
    day = date(2020, 1, 1)
    tiers = (
        Price(day, 1.0, output=1.0),
        Price(day, 9.0, output=5.0, above=100),
        Price(day, 2.0, output=7.0, above=200),
    )
    model = ModelInfo("m", "tests", 0, 0, {}, prices=tiers)
    found = dearest([model], day)
    assert found is not None
    assert (found.input, found.cached, found.output) == (9.0, 9.0, 7.0)
