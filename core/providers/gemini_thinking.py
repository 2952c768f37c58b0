"""Translates what was asked of thinking to Gemini's `thinkingConfig` (https://ai.google.dev/gemini-api/docs/thinking)."""

from collections.abc import Mapping
from typing import Any

from core.providers.carrying import has_refused
from core.providers.draft import Draft
from core.providers.effort import budget_of, effort_of
from core.providers.gemini_models import budget_of_model, thinking_control
from schemas.chat import ChatRequest, ThinkingOptions
from schemas.model import ThinkingControl

Wire = dict[str, Any]

DYNAMIC = -1
"""The budget that leaves it to the model."""
LEVELS: Mapping[str, str] = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
NEXT: Mapping[str, str] = {"MINIMAL": "LOW", "MEDIUM": "HIGH"}
"""The level to take for one that the model has refused; all models have LOW and HIGH."""
LEAST: Mapping[ThinkingControl, str] = {"forced": "LOW"}
"""The least level by how the model is steered; MINIMAL unless it stands here. No level is none at all."""


def thinking_fields(draft: Draft) -> Wire:
    """`thinkingConfig`: a budget for Gemini 2.5, a level for later ones, never both.

    Thoughts are asked for when the model is to think, or thinks anyway, and the client is to see it.
    """
    asked, info = draft.request.thinking, draft.target.info
    control = thinking_control(info, draft.target.model)
    if asked.clear is False:
        draft.drop("clear_thinking")
    if control == "none" or has_refused(draft, "thinking"):
        if asked.enabled or effort_of(asked) not in (None, "none", "minimal"):
            draft.drop(_name(asked))
        return {}
    fields = _budget(draft) if control in ("budget", "switch") else _level(draft, control)
    if _is_shown(draft, control):
        fields["includeThoughts"] = True
    return {"thinkingConfig": fields} if fields else {}


def _budget(draft: Draft) -> Wire:
    asked, bounds = draft.request.thinking, budget_of_model(draft.target.model)
    wanted = budget_of(asked)
    if wanted is None:
        return {"thinkingBudget": DYNAMIC} if asked.enabled else {}
    if wanted < 0:
        return {"thinkingBudget": DYNAMIC}
    if wanted == 0 and bounds.can_stop and not has_refused(draft, "thinking_budget.0"):
        return {"thinkingBudget": 0}
    if wanted == 0:
        draft.drop(_name(asked))
    return {"thinkingBudget": min(bounds.most, max(bounds.least, wanted))}


def _level(draft: Draft, control: ThinkingControl) -> Wire:
    asked = draft.request.thinking
    effort = effort_of(asked)
    if effort is None:
        return {}
    least = LEAST.get(control, "MINIMAL")
    level = least if effort in ("none", "minimal") else LEVELS.get(effort)
    if level is not None and has_refused(draft, f"thinking_level.{level.lower()}"):
        level = NEXT.get(level)
        draft.drop(_name(asked))
    if level is None or effort == "none":
        draft.drop(_name(asked))
    return {} if level is None else {"thinkingLevel": level}


def _name(asked: ThinkingOptions) -> str:
    """What the client wrote to ask for this."""
    return "thinking" if asked.effort is None or asked.enabled is False else "reasoning_effort"


def _is_shown(draft: Draft, control: ThinkingControl) -> bool:
    """Asking for the thoughts of a model that does not think is an error, so that needs to be certain."""
    request = draft.request
    if request.thinking_mode == "hide" or effort_of(request.thinking) == "none":
        return False
    if _is_asked(request):
        return budget_of(request.thinking) != 0 or control not in ("budget", "switch")
    # Blocks are for those who ask for them.
    unasked = control not in ("budget", "switch") or budget_of_model(draft.target.model).unasked
    return unasked and request.thinking_mode != "blocks"


def _is_asked(request: ChatRequest) -> bool:
    asked = request.thinking
    return bool(asked.enabled) or effort_of(asked) is not None
