"""How thinking and the length of an answer are fitted to what a model of OpenAI's form takes."""

from typing import Any

import pytest

from core.catalogue import load_catalogue
from core.providers.deepseek import DeepSeek
from core.providers.effort import RISING, nearest
from core.providers.grok import Grok
from core.providers.groq import Groq
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_platform import OpenAI
from core.providers.openrouter import OpenRouter
from schemas.chat import ChatRequest, Message, Native, Sampling, TextPart, ThinkingOptions
from schemas.codec import loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

OFF = ThinkingOptions(enabled=False)


def sent(kind: Any, model: str | ModelInfo, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for a model of the catalogue, and what was left out."""
    info = load_catalogue().find(model) if isinstance(model, str) else model
    assert info is not None
    request = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("anthropic_messages", {}), **fields)
    built = kind("p", "https://h/v1", FakeClock()).build(request, Target("p", "m", info), Credential("p", "k"), "r")
    return dict(loads(built.body)), built.dropped


@pytest.mark.parametrize(
    ("kind", "model", "asked", "effort", "dropped"),
    [
        (Groq, "gpt-oss-120b", ThinkingOptions(effort="max"), "high", ()),
        (Groq, "gpt-oss-120b", ThinkingOptions(effort="xhigh"), "high", ()),
        (Groq, "gpt-oss-120b", ThinkingOptions(effort="medium"), "medium", ()),
        (Groq, "gpt-oss-120b", OFF, "low", ("thinking",)),
        (Groq, "gpt-oss-120b", ThinkingOptions(effort="none"), "low", ("reasoning_effort",)),
        (Groq, "gpt-oss-120b", ThinkingOptions(enabled=True, budget=60_000), "high", ()),
        (Grok, "grok-4.3", ThinkingOptions(effort="max"), "xhigh", ()),
        (Grok, "grok-4.3", OFF, "none", ()),
        (Grok, "grok-4.20-reasoning", OFF, "low", ("thinking",)),
        (OpenAI, "o3", ThinkingOptions(enabled=True, effort="max"), "high", ()),
        (OpenAI, "o3", OFF, "low", ("thinking",)),
        (OpenAI, "gpt-5", OFF, "minimal", ("thinking",)),
        (OpenAI, "gpt-5.4", OFF, "none", ()),
        (OpenAI, "gpt-6-sol", ThinkingOptions(effort="max"), "max", ()),
        (OpenAI, "gpt-5.4", ThinkingOptions(enabled=True), None, ()),
        (DeepSeek, "deepseek-v4-pro", ThinkingOptions(effort="max"), "max", ()),
        (DeepSeek, "deepseek-v4-pro", OFF, None, ()),
    ],
)
def test_an_effort_is_the_nearest_that_the_model_takes(
    kind: Any, model: str, asked: ThinkingOptions, effort: str | None, dropped: tuple[str, ...]
) -> None:
    body, missed = sent(kind, model, thinking=asked)
    assert (body.get("reasoning_effort"), missed) == (effort, dropped)


def test_what_is_not_known_goes_as_it_was_asked_for() -> None:
    unknown = ModelInfo("m", "o", 0, 0, {}, abilities=frozenset({"thinking"}), thinking="effort")
    for effort in (*RISING, "ultra"):
        assert sent(OpenAICompatible, unknown, thinking=ThinkingOptions(effort=effort))[0]["reasoning_effort"] == effort


def test_a_model_that_always_thinks_is_not_told_to_stop() -> None:
    forced = ModelInfo("m", "o", 0, 0, {}, abilities=frozenset({"thinking"}), thinking="forced")
    body, dropped = sent(OpenAICompatible, forced, thinking=OFF)
    assert "reasoning_effort" not in body
    assert dropped == ("thinking",)


def test_openrouter_knows_no_max() -> None:
    body, _ = sent(OpenRouter, "gpt-6-sol", thinking=ThinkingOptions(effort="max"))
    assert body["reasoning"] == {"effort": "xhigh"}


@pytest.mark.parametrize(
    ("effort", "found"), [("none", "low"), ("medium", "low"), ("high", "xhigh"), ("max", "xhigh"), ("odd", "odd")]
)
def test_of_two_levels_that_are_as_near_the_lesser_counts(effort: str, found: str) -> None:
    assert nearest(effort, ("low", "xhigh")) == found
    assert nearest("medium", ("low", "high")) == "low"


@pytest.mark.parametrize(
    ("kind", "model", "field", "asked", "limit"),
    [
        (OpenAI, "gpt-4o", "max_completion_tokens", 64_000, 16_384),
        (OpenAI, "gpt-4o", "max_completion_tokens", 100, 100),
        (Groq, "gpt-oss-120b", "max_tokens", 100_000, 65_536),
        (Grok, "grok-4.3", "max_tokens", 64_000, 64_000),
    ],
)
def test_an_answer_is_not_asked_to_be_longer_than_the_model_can_write(
    kind: Any, model: str, field: str, asked: int, limit: int
) -> None:
    assert sent(kind, model, sampling=Sampling(max_tokens=asked))[0][field] == limit
