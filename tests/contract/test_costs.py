"""What providers report of tokens, as money: to the last digit, in both dialects, streamed and whole."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.clients import DIALECTS, Dialect
from tests.gateway import eventually
from tests.integration.providers_kit import KINDS, ONE_TRY, World, running_world

PRICE = {
    "since": "2020-01-01",
    "input": 3,
    "cached": 0.3,
    "output": 15,
    "write_short": 3.75,
    "write_long": 6,
}
MODELS = {
    KINDS[name].model: {"prices": [PRICE]} for name in ("anthropic", "openai", "grok", "deepseek", "gemini", "glm")
}
"""USD for a million tokens: input, read from a cache, written for minutes, for an hour, output."""

COUNTER, SUM = "glm_cost_usd_total{", "glm_token_usage_cost_usd_sum"
SHAPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "anthropic plain": ("anthropic", {"input_tokens": 7, "output_tokens": 3}, "0.000066"),
    "anthropic read and written": (
        "anthropic",
        {
            "input_tokens": 11,
            "cache_read_input_tokens": 70_001,
            "cache_creation_input_tokens": 1003,
            "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 3},
            "output_tokens": 17,
        },
        "0.0250563",
    ),
    "anthropic written without a word how long": (
        "anthropic",
        {"input_tokens": 1, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 0, "output_tokens": 1},
        "0.003768",
    ),
    "openai plain": ("openai", {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}, "0.000066"),
    "openai cached": (
        "openai",
        {
            "prompt_tokens": 1300,
            "completion_tokens": 40,
            "total_tokens": 1340,
            "prompt_tokens_details": {"cached_tokens": 1280},
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        "0.001044",
    ),
    "grok thinks beside its answer": (
        "grok",
        {
            "prompt_tokens": 100,
            "completion_tokens": 40,
            "total_tokens": 140,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        "0.0007272",
    ),
    "deepseek hit and miss": (
        "deepseek",
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        "0.0002772",
    ),
    "gemini thinks beside its answer": (
        "gemini",
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 10,
            "thoughtsTokenCount": 20,
            "totalTokenCount": 130,
        },
        "0.000588",
    ),
    "glm cached": (
        "glm",
        {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
            "prompt_tokens_details": {"cached_tokens": 999},
        },
        "0.0018027",
    ),
    "one token": ("openai", {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}, "0.000003"),
    "ten million": (
        "openai",
        {"prompt_tokens": 9_999_999, "completion_tokens": 1, "total_tokens": 10_000_000},
        "30.000012",
    ),
}
"""The provider, its usage, and what that costs, reckoned by hand. The simulated xAI and DeepSeek tell it in their own
words: reasoning beside the completion, hits and misses apart."""


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(tmp_path_factory.mktemp("priced"), ONE_TRY, models=MODELS) as one:
        yield one


@pytest.fixture
def world(priced: World) -> World:
    priced.rest()
    return priced


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_cost_is_right_to_the_last_digit(world: World, shape: str, dialect: Dialect) -> None:
    name, usage, cost = SHAPES[shape]
    kind = KINDS[name]
    world.answers(kind.form, "Hi", usage=usage, times=None)
    before = spent(world, name)
    heard = dialect.ask(world.gateway, kind.asked)
    assert Decimal(heard.headers["X-Gateway-Cost-USD"]) == Decimal(cost)
    assert "X-Gateway-Cost-Note" not in heard.headers
    dialect.ask(world.gateway, kind.asked, stream=True)
    assert eventually(lambda: spent(world, name) == before + 2 * Decimal(cost)), spent(world, name) - before


@pytest.mark.parametrize("garbage", [10**30, -5, "many"], ids=str)
def test_a_count_that_cannot_be_is_estimated_and_spends_no_budget(world: World, garbage: object) -> None:
    kind = KINDS["openai"]
    before = spent(world, "openai")
    world.answers(kind.form, "Hi", usage={"prompt_tokens": garbage, "completion_tokens": garbage, "total_tokens": 1})
    heard = DIALECTS[0].ask(world.gateway, kind.asked)
    assert heard.headers["X-Gateway-Cost-Note"] == "estimated"
    assert Decimal(0) < Decimal(heard.headers["X-Gateway-Cost-USD"]) < Decimal("0.01")
    assert eventually(lambda: before < spent(world, "openai") < before + Decimal("0.01"))
    assert world.gateway.wait_event("token_count_not_believed")


def spent(world: World, provider: str) -> Decimal:
    """What a provider has cost so far."""
    rows = world.gateway.get("/v1/usage", params={"group_by": "provider"}).json()["data"]
    return sum((Decimal(str(row["cost_usd"])) for row in rows if row["provider"] == provider), Decimal(0))


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_place_tells_the_same_cost(world: World, dialect: Dialect, stream: bool) -> None:
    name, usage, cost = SHAPES["openai cached"]
    world.answers(KINDS[name].form, "Hi", usage=usage)
    before, counted, summed = spent(world, name), metric(world, COUNTER), metric(world, SUM)
    heard = dialect.ask(world.gateway, KINDS[name].asked, stream=stream)
    logged = world.gateway.wait_event("request", request_id=heard.headers["X-Request-ID"])
    assert Decimal(str(logged["cost_usd"])) == Decimal(cost)
    assert heard.headers.get("X-Gateway-Cost-USD") == (None if stream else cost)
    assert spent(world, name) - before == Decimal(cost)
    assert metric(world, COUNTER) - counted == pytest.approx(float(cost))
    assert metric(world, SUM) - summed == pytest.approx(float(cost))


def metric(world: World, start: str) -> float:
    """The sum of the metric's lines that begin so."""
    lines = world.gateway.get("/v1/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(start))


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_what_a_provider_does_not_report_is_estimated_and_marked(world: World, dialect: Dialect) -> None:
    world.answers(KINDS["openai"].form, "Hello there", usage=None)
    heard = dialect.ask(world.gateway, KINDS["openai"].asked)
    assert heard.headers["X-Gateway-Cost-Note"] == "estimated"
    assert Decimal(heard.headers["X-Gateway-Cost-USD"]) > 0


def test_an_unknown_price_is_no_cost_and_counted(world: World) -> None:
    kind = KINDS["openai-compatible"]
    world.answers(kind.form, "Hi")
    heard = DIALECTS[0].ask(world.gateway, kind.asked)
    assert "X-Gateway-Cost-USD" not in heard.headers
    rows = world.gateway.get("/v1/usage", params={"group_by": "provider"}).json()["data"]
    row = next(row for row in rows if row["provider"] == kind.name)
    assert (row["unpriced_requests"], row["cost_usd"]) == (1, 0.0)
    assert "glm_unpriced_answers_total{" in world.gateway.get("/v1/metrics").text
