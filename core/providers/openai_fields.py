"""Translates sampling and thinking to OpenAI's fields, as far as the model takes them."""

from collections.abc import Mapping

from core.providers.draft import Draft
from core.providers.effort import OFF, effort_of
from core.providers.openai_messages import Wire


def accepted(draft: Draft, fields: Mapping[str, object]) -> Wire:
    """The fields that the model does not refuse; the others are dropped by name."""
    refused = draft.target.info.refuses
    for name in fields:
        if name in refused:
            draft.drop(name)
    return {name: value for name, value in fields.items() if name not in refused}


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
            draft.drop("reasoning_effort" if asked.effort is not None else "thinking")
        return {}
    return accepted(draft, {"reasoning_effort": effort})
