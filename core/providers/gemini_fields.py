"""Writes the body of a request to Gemini (https://ai.google.dev/api/generate-content#request-body)."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.providers.carrying import asks_nothing, is_withheld, output_limit, sampling_fields
from core.providers.draft import Draft
from core.providers.foreign_json import mapping
from core.providers.gemini_content import conversation
from core.providers.gemini_models import FIRST_SIGNED, generation
from core.providers.gemini_schema import clean_schema
from core.providers.gemini_thinking import thinking_fields
from core.providers.gemini_tools import forces_call, tool_fields

Wire = dict[str, Any]

STOP_LIMIT = 5
SAMPLING: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
LARGEST_SEED = 2**31 - 1
PASSED: Mapping[str, str] = {
    "safety_settings": "safetySettings",
    "safetySettings": "safetySettings",
    "cached_content": "cachedContent",
    "cachedContent": "cachedContent",
    "labels": "labels",
}
"""Gemini's own parameters by the names that clients give them: they go out as they came."""
THINKING: Mapping[str, str] = {
    "thinking_budget": "thinkingBudget",
    "thinkingBudget": "thinkingBudget",
    "thinking_level": "thinkingLevel",
    "thinkingLevel": "thinkingLevel",
    "include_thoughts": "includeThoughts",
    "includeThoughts": "includeThoughts",
}
"""What `extra_body.google.thinking_config` may hold; it goes before anything the gateway derived."""


def wire_body(draft: Draft) -> Wire:
    """The body, keys always in the same order. Raises InvalidRequest for a conversation in which nobody speaks."""
    extras = dict(_extras(draft))
    thinking = extras.pop("thinkingConfig", None)
    config = _generation_config(draft, thinking)
    if draft.request.user is not None:
        draft.drop("user")
    return {
        **tool_fields(draft),
        **conversation(draft),
        **({"generationConfig": config} if config else {}),
        **extras,
    }


def _generation_config(draft: Draft, thinking: Wire | None) -> Wire:
    config = sampling_fields(draft, SAMPLING)
    if "seed" in config and not -LARGEST_SEED <= config["seed"] <= LARGEST_SEED:
        # Gemini's seeds have 32 bits; what counts is that the same one gives the same one.
        config["seed"] &= LARGEST_SEED
    if (limit := output_limit(draft)) is not None:
        config["maxOutputTokens"] = limit
    if draft.request.sampling.stop:
        config["stopSequences"] = list(draft.request.sampling.stop[:STOP_LIMIT])
    derived = thinking_fields(draft)
    return {**config, **({"thinkingConfig": thinking} if thinking else derived), **_format(draft)}


def _format(draft: Draft) -> Wire:
    """JSON, with its schema if there is one; Gemini takes none with a forced call, and before 3 none with functions."""
    wanted = draft.request.response_format
    if wanted is None or wanted.kind == "text" or is_withheld(draft, "response_format"):
        return {}
    early = generation(draft.target.model) < FIRST_SIGNED
    if draft.request.tools and (early or forces_call(draft)):
        draft.drop("response_format")
        return {}
    schema = clean_schema(wanted.schema) if wanted.schema else {}
    return {"responseMimeType": "application/json", **({"responseJsonSchema": schema} if schema else {})}


def _extras(draft: Draft) -> Iterator[tuple[str, Any]]:
    """Gemini's own among the client's other parameters, also those Google's clients put into `extra_body.google`."""
    for name, value in draft.request.extra.items():
        if name in PASSED and value is not None:
            yield PASSED[name], value
        elif name == "google" and isinstance(value, dict):
            yield from _own(draft, value, "google")
        elif name == "extra_body" and isinstance(value, dict):
            yield from _extra_body(draft, value)
        elif not asks_nothing(name, value):
            draft.drop(name)


def _extra_body(draft: Draft, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if name == "google":
            yield from _own(draft, mapping(value), "extra_body.google")
        elif not asks_nothing(name, value):
            draft.drop(f"extra_body.{name}")


def _own(draft: Draft, given: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if name in PASSED and value is not None:
            yield PASSED[name], value
        elif name in ("thinking_config", "thinkingConfig") and isinstance(value, dict):
            yield "thinkingConfig", {THINKING[key]: told for key, told in value.items() if key in THINKING}
        elif value is not None:
            draft.drop(f"{path}.{name}")
