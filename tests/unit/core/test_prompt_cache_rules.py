"""What is promised of each provider's cache."""

from dataclasses import replace

import pytest

from core.prompt_cache.rules import RULES, family_of, rules_of
from core.providers.openrouter import OpenRouter
from core.routing import Route, listed
from tests.unit.core.prompt_cache_kit import CATALOGUE


@pytest.mark.parametrize(
    ("kind", "model", "maker"),
    [
        ("glm", "glm-5.3", "glm"),
        ("glm-anthropic", "glm-5.3", "glm"),
        ("glm-web", "GLM-5", "glm"),
        ("anthropic", "claude-opus-5-5", "anthropic"),
        ("ohmygpt-anthropic", "claude-opus-5-5", "anthropic"),
        ("anthropic-compatible", "Claude-Opus-5-5", "anthropic"),
        ("anthropic-compatible", "glm-5.3", "glm"),
        ("openai", "gpt-5.6", "openai"),
        ("openai", "gpt-5.6-luna", "openai"),
        ("openai", "gpt-6-astra", "openai"),
        ("openai", "gpt-6.1-sol", "openai"),
        ("openai", "gpt-10", "openai"),
        ("openai", "gpt-5.5", "openai-before-5.6"),
        ("openai", "gpt-5", "openai-before-5.6"),
        ("openai", "gpt-4.1-mini", "openai-before-5.6"),
        ("openai", "gpt-4o", "openai-before-5.6"),
        ("openai", "o3", "openai-before-5.6"),
        ("ohmygpt", "gpt-6.1-sol", "openai"),
        ("openai-compatible", "openai/gpt-4o", "openai-before-5.6"),
        ("groq", "openai/gpt-oss-120b", "groq"),
        ("openai-compatible", "openai/gpt-oss-120b", "other"),
        ("grok", "grok-4.7", "grok"),
        ("gemini", "gemini-3.1-pro-preview", "gemini"),
        ("deepseek", "deepseek-v4-flash", "deepseek"),
        ("openai-compatible", "llama-5", "other"),
    ],
)
def test_the_rules_are_those_of_whose_cache_it_is(kind, model, maker):
    assert rules_of(kind, model) == RULES[maker]


@pytest.mark.parametrize(
    ("maker", "ttl", "seconds"),
    [
        ("anthropic", "", 300),
        ("anthropic", "5m", 300),
        ("anthropic", "1h", 3600),
        ("openai", "", 1800),
        ("openai", "12h", 43_200),
        ("openai-before-5.6", "", 300),
        ("deepseek", "", 3600),
        ("glm", "", 300),
        ("grok", "", 300),
        ("gemini", "", 300),
        ("other", "", 300),
    ],
)
def test_a_cache_lives_as_long_as_its_mark_says(maker, ttl, seconds):
    assert RULES[maker].life_of(ttl) == seconds


def test_a_cache_that_promises_nothing_is_counted_on_for_five_minutes_though_it_may_live_longer():
    assert RULES["groq"].life == 3600
    assert RULES["groq"].life_of("") == 300


def test_openrouter_keeps_to_one_upstream_for_five_minutes_only():
    rules = rules_of("openrouter", "anthropic/claude-opus-5-5")
    assert rules == replace(RULES["anthropic"], best_effort=True)
    assert rules.life_of("1h") == 300


def test_the_catalogue_knows_better_how_short_a_prompt_may_be():
    assert rules_of("anthropic", "claude-opus-5-5", CATALOGUE.find("claude-opus-5-5")).minimum == 512
    assert rules_of("deepseek", "deepseek-v4-flash", CATALOGUE.find("deepseek-v4-flash")).minimum == 64
    assert rules_of("glm", "glm-5.3", CATALOGUE.find("glm-5.3")) == RULES["glm"]


def test_a_model_without_a_cache_has_no_rules():
    info = CATALOGUE.find("glm-5.3")
    assert rules_of("glm", "glm-5.3", replace(info, abilities=info.abilities - {"prompt_cache"})) is None
    assert rules_of("groq", "qwen/qwen3.8-27b", CATALOGUE.find("qwen3.8-27b")) is None


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("anthropic/claude-opus-5.5", "anthropic"),
        ("openai/gpt-5.2", "openai-before-5.6"),
        ("z-ai/glm-5.3", "glm"),
        ("some/model", None),
    ],
)
def test_a_model_that_only_openrouter_knows_has_the_cache_of_its_maker(model, maker):
    route = Route("router", "openrouter", listed([model]), abilities=OpenRouter.abilities)
    rules = rules_of("openrouter", model, route.own(model).info)
    assert rules == (None if maker is None else replace(RULES[maker], best_effort=True))


def test_the_forms_of_one_provider_are_one_family_and_instances_of_a_general_kind_are_none():
    assert {family_of(kind, "any") for kind in ("glm", "glm-anthropic", "glm-web")} == {"zhipu"}
    assert family_of("ohmygpt", "a") == family_of("ohmygpt-anthropic", "b")
    assert family_of("anthropic", "a") != family_of("ohmygpt-anthropic", "a")
    assert family_of("openai-compatible", "a") != family_of("openai-compatible", "b")
