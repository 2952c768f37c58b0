"""Decides which of the client's parameters a provider of another form than OpenAI's is sent, and which are missed."""

from collections.abc import Mapping
from typing import Any

from core.providers.draft import Draft
from schemas.chat import ChatRequest

HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "store": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "modalities": (["text"],),
    "verbosity": ("medium",),
    "web_search_options": ({},),
    "functions": ([],),
    "function_call": ("auto", "none"),
}
"""OpenAI's parameters at the values that every provider fulfils by doing what it does anyway."""

SETTLED = frozenset(
    {
        "thinking",
        "enable_thinking",
        "reasoning_effort",
        "max_completion_tokens",
        "stream_options",
        "tool_stream",
    }
)
"""What has a place of its own in the canonical request, or is the gateway's own to set."""


def asks_nothing(name: str, value: Any) -> bool:
    """True when it makes no difference whether the parameter is carried."""
    return value is None or name in SETTLED or value in HARMLESS.get(name, ())


def refusal(name: str, request: ChatRequest) -> str:
    """How `ChatRequest.omit` names what one model has refused, and others of the same provider may well take."""
    return f"{name}@{request.model}"


def has_refused(draft: Draft, name: str) -> bool:
    """True for what the model refuses, by the catalogue or by what it has answered before."""
    return name in draft.target.info.refuses or refusal(name, draft.request) in draft.request.omit


def is_withheld(draft: Draft, name: str) -> bool:
    """The same for a parameter that was given, which is noted as dropped."""
    withheld = has_refused(draft, name)
    if withheld:
        draft.drop(name)
    return withheld


def sampling_fields(draft: Draft, names: Mapping[str, str]) -> dict[str, Any]:
    """How tokens are drawn: `names` has the provider's name for each field of Sampling that it takes as it is.

    A penalty of 0 is none at all. What the model refuses is dropped by its name.
    """
    values = {name: getattr(draft.request.sampling, name) for name in names}
    given = {name: value for name, value in values.items() if value is not None}
    wanted = {name: value for name, value in given.items() if value or not name.endswith("_penalty")}
    return {names[name]: value for name, value in wanted.items() if not is_withheld(draft, name)}


def output_limit(draft: Draft) -> int | None:
    """How many tokens the answer may have: never more than the model can write, where that is known."""
    asked, limit = draft.request.sampling.max_tokens, draft.target.info.max_output
    return min(asked, limit) if asked is not None and limit > 0 else asked
