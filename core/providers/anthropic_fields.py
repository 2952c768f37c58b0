"""Translates sampling, the answer's format and other plain parameters to Anthropic's fields."""

from collections.abc import Mapping
from typing import Any

from core.providers.anthropic_content import MARK, text_block
from core.providers.anthropic_models import is_claude, takes_system_in_place
from core.providers.draft import Draft
from schemas.codec import dumps

Wire = dict[str, Any]

LONGEST_USER = 256
DEFAULTS: Mapping[str, float] = {"temperature": 1.0, "top_p": 1.0}
"""What Anthropic does by itself, and so no loss when it is left out."""

PASSED = frozenset({MARK, "container", "diagnostics", "inference_geo", "speed"})
"""Anthropic's own parameters: they go out as they came."""

HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "store": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "service_tier": ("auto", "default"),
    "modalities": (["text"],),
    "verbosity": ("medium",),
    "web_search_options": ({},),
}
"""OpenAI's parameters that Anthropic has not, with the values that ask for nothing it would not do by itself."""

SETTLED = frozenset(
    {
        "thinking", "enable_thinking", "reasoning_effort", "max_completion_tokens", "stream_options", "top_k",
        "output_config", "metadata", "safety_identifier",
    }
)  # fmt: skip
"""What other steps have read or the gateway sets itself: neither sent from here nor missed."""

JSON_ORDER = "Answer with nothing but one JSON object."
SCHEMA_ORDER = "Answer with nothing but one JSON object that fits this JSON Schema:"


def sampling_fields(draft: Draft, *, thinks: bool) -> Wire:
    """How tokens are drawn; what the model refuses, or refuses when it `thinks`, is dropped by name.

    The gateway ends the answer at all stop words, so that those of nothing but white space, which Anthropic refuses,
    are no loss.
    """
    sampling, extra = draft.request.sampling, draft.request.extra
    temperature = None if sampling.temperature is None else min(1.0, max(0.0, sampling.temperature))
    top_k = sampling.top_k if sampling.top_k is not None else extra.get("top_k")
    given = {"temperature": temperature, "top_p": sampling.top_p, "top_k": top_k}
    fields: Wire = _accepted(draft, {name: value for name, value in given.items() if value is not None}, thinks=thinks)
    if stop := [word for word in sampling.stop if word and not word.isspace()]:
        fields["stop_sequences"] = stop
    if sampling.seed is not None:
        draft.drop("seed")
    if sampling.presence_penalty:
        draft.drop("presence_penalty")
    if sampling.frequency_penalty:
        draft.drop("frequency_penalty")
    return fields


def _accepted(draft: Draft, given: Wire, *, thinks: bool) -> Wire:
    refused = set(draft.target.info.refuses)
    if is_claude(draft.target.model):
        # Anthropic's models draw freely while they think, and take one of temperature and top_p at a time.
        refused |= set(given) if thinks else _second(given)
    for name in given:
        if name in refused and given[name] != DEFAULTS.get(name):
            draft.drop(name)
    return {name: value for name, value in given.items() if name not in refused}


def _second(given: Wire) -> set[str]:
    if not given.keys() >= DEFAULTS.keys():
        return set()
    return {"temperature"} if given["temperature"] == DEFAULTS["temperature"] else {"top_p"}


def output_fields(draft: Draft, effort: str | None) -> Wire:
    """The effort, and the schema of the answer for models that take one."""
    given = draft.request.extra.get("output_config")
    config: Wire = dict(given) if isinstance(given, dict) else {}
    if effort is not None:
        config["effort"] = effort
    wanted = draft.request.response_format
    if wanted is not None and wanted.kind == "json_schema" and "json_schema" in draft.target.info.abilities:
        config["format"] = {"type": "json_schema", "schema": wanted.schema or {}}
    return {"output_config": config} if config else {}


def say_format(draft: Draft, turns: list[Wire]) -> None:
    """Add to `turns`, at their end so that the prefix stays as it was cached, a format that no parameter asks for."""
    order = _order(draft)
    if not order:
        return
    if turns[-1]["role"] == "user" and takes_system_in_place(draft.target.model):
        turns.append({"role": "system", "content": [text_block(order)]})
        return
    last = next(turn for turn in reversed(turns) if turn["role"] != "assistant")
    last["content"].append(text_block(order))


def _order(draft: Draft) -> str:
    wanted = draft.request.response_format
    if wanted is None or wanted.kind == "text":
        return ""
    if wanted.kind == "json_object":
        draft.drop("response_format.json_object")
        return JSON_ORDER
    if "json_schema" in draft.target.info.abilities:
        return ""
    draft.drop("response_format.json_schema")
    described = f"{wanted.description}\n" if wanted.description else ""
    return f"{described}{SCHEMA_ORDER}\n{dumps(wanted.schema or {}).decode()}"


def identity_fields(draft: Draft) -> Wire:
    """Who asks, where Anthropic's bound admits it; its metadata has no room for anything else."""
    extra = draft.request.extra
    metadata = extra.get("metadata")
    own = metadata.get("user_id") if isinstance(metadata, dict) else None
    if metadata and metadata != {"user_id": own}:
        draft.drop("metadata")
    for name, user in (("user", draft.request.user), ("safety_identifier", extra.get("safety_identifier"))):
        if own is None and isinstance(user, str) and len(user) <= LONGEST_USER:
            own = user
        elif user is not None and user != own:
            draft.drop(name)
    return {"metadata": {"user_id": own}} if isinstance(own, str) else {}


def extra_fields(draft: Draft) -> Wire:
    """Anthropic's own parameters among the client's others; what asked for something else is dropped by name."""
    fields: Wire = {}
    for name, value in draft.request.extra.items():
        if value is None or name in SETTLED:
            continue
        if name in PASSED or (name, value) == ("service_tier", "standard_only"):
            fields[name] = value
        elif value not in HARMLESS.get(name, ()):
            draft.drop(name)
    return fields
