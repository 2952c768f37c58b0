"""Writes the body of a chat request to Ollama (https://docs.ollama.com/api/chat)."""

from collections.abc import Mapping
from typing import Any

from core.providers.carrying import asks_nothing, has_refused, is_withheld, output_limit, sampling_fields
from core.providers.draft import Draft
from core.providers.effort import OFF, effort_of
from core.providers.ollama_errors import THINKING
from core.providers.ollama_messages import tool_fields, wire_messages
from schemas.chat import ThinkingOptions
from schemas.model import ThinkingControl

Wire = dict[str, Any]

SAMPLING: Mapping[str, str] = {
    name: name for name in ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
}
LEVELS: Mapping[str, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}
"""The level for each effort, where thinking cannot be turned off."""
LEVELLED: frozenset[ThinkingControl] = frozenset({"effort", "forced"})
"""How models are steered that take a level; all others are told to think or not to."""
LEVELLED_NAME = "gpt-oss"
"""Stands in the names of models that take a level, know no `off`, and ignore a plain yes."""
EXTRA_OPTIONS = frozenset({"num_ctx"})
"""Options that clients also write beside the others, where OpenAI has its own."""


def wire_body(draft: Draft) -> Wire:
    """The body, keys always in the same order. Answers are always streamed: a whole one is folded from chunks."""
    own = _extras(draft)
    options = {**_options(draft), **own.pop("options", {})}
    if draft.request.user is not None:
        draft.drop("user")
    return {
        "model": draft.target.model,
        **tool_fields(draft),
        "messages": wire_messages(draft),
        "stream": True,
        **_think(draft),
        **_format(draft),
        **({"options": options} if options else {}),
        **own,
    }


def _options(draft: Draft) -> Wire:
    options = sampling_fields(draft, SAMPLING)
    if (limit := output_limit(draft)) is not None:
        options["num_predict"] = limit
    if draft.request.sampling.stop:
        options["stop"] = list(draft.request.sampling.stop)
    return options


def _extras(draft: Draft) -> Wire:
    """Ollama's own parameters among the client's others: they go out as they came, over what the gateway derived."""
    fields: Wire = {}
    options: Wire = {}
    for name, value in draft.request.extra.items():
        if name == "options" and isinstance(value, dict):
            options = {**options, **value}
        elif name in EXTRA_OPTIONS and value is not None:
            options = {name: value, **options}
        elif name == "keep_alive" and value is not None:
            fields[name] = value
        elif not asks_nothing(name, value):
            draft.drop(name)
    return {**fields, "options": options} if options else fields


def _think(draft: Draft) -> Wire:
    """Whether to think, or how much; a model that cannot is told nothing, as it would refuse."""
    asked = draft.request.thinking
    effort = effort_of(asked)
    wanted = asked.enabled if effort is None else effort not in OFF
    if asked.clear is False:
        draft.drop("clear_thinking")
    if wanted is None or not _can_think(draft):
        if wanted:
            draft.drop(_name(asked))
        return {}
    if _has_levels(draft):
        return _level(draft, effort, wanted=wanted)
    if wanted and asked.effort is not None:
        draft.drop("reasoning_effort")
    return {"think": wanted}


def _can_think(draft: Draft) -> bool:
    """False when the catalogue or the model has said no; most models here are in no catalogue."""
    info = draft.target.info
    return not has_refused(draft, THINKING) and (info.thinking != "none" or "thinking" in info.abilities)


def _has_levels(draft: Draft) -> bool:
    return draft.target.info.thinking in LEVELLED or LEVELLED_NAME in draft.target.model


def _level(draft: Draft, effort: str | None, *, wanted: bool) -> Wire:
    if not wanted and draft.target.info.thinking == "effort" and LEVELLED_NAME not in draft.target.model:
        return {"think": False}
    if effort is None:
        return {"think": True}
    level = LEVELS.get(effort)
    if level is None or effort == "none":
        draft.drop(_name(draft.request.thinking))
    return {} if level is None else {"think": level}


def _name(asked: ThinkingOptions) -> str:
    """What the client wrote to ask for this."""
    return "thinking" if asked.effort is None or asked.enabled is False else "reasoning_effort"


def _format(draft: Draft) -> Wire:
    wanted = draft.request.response_format
    if wanted is None or wanted.kind == "text" or is_withheld(draft, "response_format"):
        return {}
    return {"format": wanted.schema or "json"}
