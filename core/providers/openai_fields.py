"""Translates sampling and thinking to OpenAI's fields, as far as the model takes them."""

from collections.abc import Mapping

from core.providers.carrying import output_limit
from core.providers.draft import Draft
from core.providers.effort import OFF, effort_of, nearest
from core.providers.openai_messages import Wire


def accepted(draft: Draft, fields: Mapping[str, object]) -> Wire:
    """The fields that the model does not refuse; the others are dropped by name."""
    refused = draft.target.info.refuses
    for name in fields:
        if name in refused:
            draft.drop(name)
    return {name: value for name, value in fields.items() if name not in refused}


def sampling_fields(draft: Draft, max_tokens_field: str, stop_limit: int) -> Wire:
    """How tokens are drawn, and how many at most, which is never more than the model can write."""
    sampling = draft.request.sampling
    if sampling.top_k is not None:
        draft.drop("top_k")
    fields = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        max_tokens_field: output_limit(draft),
        "stop": list(sampling.stop[:stop_limit]) or None,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    return accepted(draft, {name: value for name, value in fields.items() if value is not None})


def thinking_fields(draft: Draft) -> Wire:
    """`reasoning_effort` for models that can be steered; a model that cannot is sent nothing."""
    asked, control = draft.request.thinking, draft.target.info.thinking
    effort = effort_of(asked)
    if effort is None:
        if asked.enabled and control == "none":
            draft.drop("thinking")
        return {}
    if control == "none" and "thinking" not in draft.target.info.abilities:
        if effort not in OFF:
            draft.drop(_name(draft))
        return {}
    level = fitted_effort(draft, effort)
    return {} if level is None else accepted(draft, {"reasoning_effort": level})


def fitted_effort(draft: Draft, effort: str) -> str | None:
    """The level of the model's that is nearest to `effort`, which goes as it is where its levels are not known.

    No thinking at all is dropped by name where a model cannot do without; None when it has no level to say instead.
    """
    info = draft.target.info
    taken = tuple(level for level in info.efforts if level != "none") if info.thinking == "forced" else info.efforts
    if effort == "none" and "none" not in taken and (taken or info.thinking == "forced"):
        draft.drop(_name(draft))
    if not taken:
        return None if effort == "none" and info.thinking == "forced" else effort
    if effort == "none" and "none" not in taken and not info.context:
        # A model of which nothing is known may not think at all, and then refuses to be told how much.
        return None
    return nearest(effort, taken)


def _name(draft: Draft) -> str:
    """What the client wrote to ask for this much thinking."""
    asked = draft.request.thinking
    return "thinking" if asked.effort is None or asked.enabled is False else "reasoning_effort"
