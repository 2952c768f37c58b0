"""What the catalogue says of each vendor's models."""

from datetime import date
from typing import get_args

import pytest

from config.model_settings import Ability as AbilitySetting
from config.model_settings import Effort as EffortSetting
from config.model_settings import Thinking as ThinkingSetting
from config.settings import Settings
from config.vendors import VENDORS
from core.catalogue import load_catalogue
from core.providers.effort import RISING
from core.routing import mapped
from schemas.model import Ability, Effort, ThinkingControl

TODAY = date(2026, 11, 25)
SAMPLING = {"temperature", "top_p", "top_k"}
FORCED_TOOLS = {"tool_choice.required"}
REASONING = {"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "stop"}


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def of_kind(catalogue, kind):
    return [model for model in catalogue.models if kind in model.upstream]


def test_every_model_is_served_by_kinds_that_exist(catalogue):
    assert all(model.upstream.keys() <= VENDORS.keys() and model.upstream for model in catalogue.models)


def test_a_settings_words_are_those_of_the_catalogue():
    assert (get_args(AbilitySetting), get_args(ThinkingSetting)) == (get_args(Ability), get_args(ThinkingControl))
    assert get_args(EffortSetting) == get_args(Effort) == RISING


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("gpt-oss-120b", "low", "high"),
        ("o3", "low", "high"),
        ("gpt-5", "minimal", "high"),
        ("gpt-5.1", "none", "high"),
        ("gpt-5.4", "none", "xhigh"),
        ("grok-4.3", "none", "xhigh"),
        ("deepseek-v4-pro", "low", "max"),
    ],
)
def test_the_levels_of_a_model_are_known(catalogue, name, least, most):
    efforts = catalogue.find(name).efforts
    assert (efforts[0], efforts[-1]) == (least, most)


def test_levels_rise_and_belong_to_models_that_think(catalogue):
    for model in catalogue.models:
        assert sorted(model.efforts, key=RISING.index) == list(model.efforts), model.id
        assert not model.efforts or model.thinking in ("effort", "forced"), model.id


@pytest.mark.parametrize(
    ("kind", "count"),
    [("glm", 27), ("anthropic", 18), ("openai", 27), ("groq", 4), ("grok", 11), ("gemini", 14), ("deepseek", 3)],
)
def test_every_vendor_has_its_models(catalogue, kind, count):
    assert len(of_kind(catalogue, kind)) == count


def test_what_glm_chats_with_its_anthropic_form_does_too_under_the_same_id(catalogue):
    chatting = [model for model in of_kind(catalogue, "glm") if "embeddings" not in model.abilities]
    assert all(model.upstream["glm-anthropic"] == model.upstream["glm"] == model.id for model in chatting)
    assert chatting == of_kind(catalogue, "glm-anthropic")


def test_claude_is_served_under_its_own_ids(catalogue):
    claude = of_kind(catalogue, "anthropic")
    assert all(model.upstream == {"anthropic": model.id, "ohmygpt-anthropic": model.id} for model in claude)


@pytest.mark.parametrize(
    ("name", "thinking", "refuses", "shortest"),
    [
        ("claude-fable-5-2", "forced", SAMPLING, None),
        ("claude-mythos-5-2", "forced", SAMPLING, None),
        ("claude-opus-5-5", "forced", SAMPLING | FORCED_TOOLS, 512),
        ("claude-sonnet-5-5", "forced", SAMPLING | FORCED_TOOLS, 512),
        ("claude-haiku-5-5", "adaptive", SAMPLING, 512),
        ("claude-fable-5-1", "forced", SAMPLING | FORCED_TOOLS, 512),
        ("claude-mythos-5-1", "forced", SAMPLING | FORCED_TOOLS, 512),
        ("claude-fable-5", "forced", SAMPLING, 512),
        ("claude-mythos-5", "forced", SAMPLING, 512),
        ("claude-opus-5", "adaptive", SAMPLING, 512),
        ("claude-sonnet-5", "adaptive", SAMPLING, 1024),
        ("claude-opus-4-8", "adaptive", SAMPLING, 1024),
        ("claude-opus-4-7", "adaptive", SAMPLING, 2048),
        ("claude-opus-4-6", "adaptive", set(), 4096),
        ("claude-sonnet-4-6", "adaptive", set(), 1024),
        ("claude-opus-4-5", "budget", set(), 4096),
        ("claude-sonnet-4-5", "budget", set(), 1024),
        ("claude-haiku-4-5", "budget", set(), 4096),
    ],
)
def test_claude_thinks_and_refuses_as_documented(catalogue, name, thinking, refuses, shortest):
    model = catalogue.find(name)
    assert (model.thinking, model.refuses, model.min_cacheable) == (thinking, refuses, shortest)
    assert model.abilities >= {"streaming", "tools", "vision", "documents", "thinking", "json_schema", "prompt_cache"}


def test_writing_to_claudes_cache_costs_a_quarter_more_for_minutes_and_twice_as_much_for_an_hour(catalogue):
    prices = [price for model in of_kind(catalogue, "anthropic") for price in model.prices if price.write_short]
    assert len(prices) == 18
    assert all(price.write_short == pytest.approx(1.25 * price.input) for price in prices)
    assert all(price.write_long == pytest.approx(2 * price.input) for price in prices)


def test_what_is_not_known_of_a_price_is_none(catalogue):
    fable = catalogue.find("claude-fable-5-2").price_on(TODAY)
    assert (fable.input, fable.output) == (8, 40)
    assert (fable.cached, fable.write_short, fable.write_long) == (None, None, None)
    for name in ("claude-mythos-5-2", "text-embedding-3-small", "gemini-embedding-001", "embedding-3"):
        assert catalogue.find(name).price_on(TODAY) is None


def test_the_price_of_sonnets_cache_changed_on_a_day(catalogue):
    sonnet = catalogue.find("claude-sonnet-5-5")
    assert sonnet.price_on(date(2026, 10, 6)).cached == 0.20
    assert sonnet.price_on(date(2026, 10, 7)).cached == 0.10


@pytest.mark.parametrize(
    ("name", "limit", "short", "long"),
    [
        ("claude-haiku-5-5", 100_000, (0.10, 0.01, 0.125, 0.20, 0.50), (0.50, 0.05, 0.625, 1.00, 2.50)),
        ("gpt-6-astra", 272_000, (10, 1, 12.5, 25, 50), (20, 2, 25, 50, 50)),
        ("gpt-6.1-terra", 272_000, (1, 0.05, 1.25, 2.5, 5), (2, 0.10, 2.5, 5, 5)),
        ("gpt-5.6-sol", 272_000, (4, 0.4, 5, 10, 20), (8, 0.8, 10, 20, 20)),
        ("gpt-5.4", 272_000, (2.5, 0.25, None, None, 15), (5, 0.5, None, None, 15)),
        ("grok-4.5", 200_000, (2, 0.3, None, None, 6), (4, 0.6, None, None, 12)),
        ("gemini-3.1-pro-preview", 200_000, (2, 0.2, None, None, 12), (4, 0.4, None, None, 18)),
        ("gemini-2.5-pro", 200_000, (1.25, 0.125, None, None, 10), (2.5, 0.25, None, None, 15)),
    ],
)
def test_a_longer_prompt_has_another_price(catalogue, name, limit, short, long):
    for prompt, expected in ((0, short), (limit, short), (limit + 1, long)):
        price = catalogue.find(name).price_on(TODAY, prompt)
        found = (price.input, price.cached, price.write_short, price.write_long, price.output)
        assert found == pytest.approx(expected), prompt


def test_openais_reasoning_models_take_no_sampling_and_the_others_all(catalogue):
    for model in of_kind(catalogue, "openai"):
        reasons = model.thinking == "effort"
        assert model.refuses == (REASONING if reasons else set()), model.id
        assert reasons == (not model.id.startswith(("gpt-4", "text-")))


@pytest.mark.parametrize("name", ["openai/gpt-oss-120b", "gpt-oss-120b", "qwen/qwen3.8-27b"])
def test_groqs_names_and_short_ones_both_find_a_model(catalogue, name):
    assert catalogue.find(name).upstream["groq"].endswith(name.rpartition("/")[2])


@pytest.mark.parametrize(
    ("name", "thinking", "refuses"),
    [
        ("grok-4.7", "effort", {"presence_penalty", "frequency_penalty", "stop"}),
        ("grok-4.20-reasoning", "forced", {"presence_penalty", "frequency_penalty", "stop"}),
        ("grok-4.20-non-reasoning", "none", set()),
    ],
)
def test_groks_reasoning_models_refuse_penalties_and_stop_words(catalogue, name, thinking, refuses):
    model = catalogue.find(name)
    assert (model.thinking, model.refuses) == (thinking, refuses)


@pytest.mark.parametrize(
    ("name", "thinking", "shortest"),
    [
        ("gemini-4-argon", "effort", 4096),
        ("gemini-flash-latest", "effort", 4096),
        ("gemini-3.5-flash-lite", "effort", None),
        ("gemini-2.5-pro", "budget", 2048),
    ],
)
def test_gemini_thinks_by_budget_up_to_2_5_and_by_level_after(catalogue, name, thinking, shortest):
    model = catalogue.find(name)
    assert (model.thinking, model.min_cacheable) == (thinking, shortest)


def test_what_makes_embeddings_does_nothing_else(catalogue):
    makers = {model.id: model.abilities for model in catalogue.models if "embeddings" in model.abilities}
    assert set(makers) == {
        "text-embedding-3-small",
        "text-embedding-3-large",
        "gemini-embedding-001",
        "embedding-2",
        "embedding-3",
    }
    assert all(abilities == {"embeddings"} for abilities in makers.values())


@pytest.mark.parametrize("name", ["claude-haiku-4-5-20251001", "claude-sonnet-4-5-20250929", "deepseek-flash"])
def test_dated_and_short_names_are_known(catalogue, name):
    assert catalogue.find(name) is not None


def test_the_usual_map_leads_claudes_models_to_models_of_glm(catalogue):
    models = Settings().model_map
    for model in of_kind(catalogue, "anthropic"):
        assert "glm" in catalogue.find(mapped(model.id, models)).upstream
