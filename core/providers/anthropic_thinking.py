"""Says in Anthropic's words what the client asked of the model's thinking.

(https://platform.claude.com/docs/en/build-with-claude/extended-thinking)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.providers.anthropic_models import effort_level, is_claude, thinks_unasked
from core.providers.draft import Draft
from core.providers.effort import OFF, budget_of, effort_of

Wire = dict[str, Any]

LEAST_BUDGET = 1024
DEFAULT_BUDGET = 8192
"""For a client that wants thinking and does not say how much."""
DEFAULT_TOKENS = 32_000
UNKNOWN_TOKENS = 4096
"""For a model whose own limit is not known."""
ROOM_FOR_ANSWER = 4096
LEAST_EFFORT = "low"
OFF_SWITCH: Mapping[str, Any] = {"type": "disabled"}
BUDGETED = frozenset({"budget", "switch", "effort"})
"""Ways of steering that Anthropic's form has but one switch for, which demands a budget."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the model is to think: the fields that say so, the effort, and the tokens of the whole answer."""

    max_tokens: int
    thinking: Mapping[str, Any] = field(default_factory=dict)
    effort: str | None = None

    @property
    def on(self) -> bool:
        """True when thinking is asked for."""
        return self.thinking.get("type") in ("enabled", "adaptive")


def plan(draft: Draft, *, may_budget: bool) -> Plan:
    """How `draft` thinks; what the model has no way of saying is dropped by name.

    `may_budget` is False when the provider would refuse thinking with a budget: Anthropic does so when the last answer
    called a tool without thinking first.
    """
    control = draft.target.info.thinking
    if draft.request.thinking.clear is False:
        draft.drop("clear_thinking")
    if control == "none":
        return _none(draft)
    if control in BUDGETED:
        return _budgeted(draft, may_budget=may_budget)
    return _forced(draft) if control == "forced" else _adaptive(draft)


def max_tokens(draft: Draft) -> int:
    """The tokens of the answer, which Anthropic wants to be told: what the client says, as far as the model goes."""
    asked, limit = draft.request.sampling.max_tokens, draft.target.info.max_output
    if asked is None:
        return min(limit, DEFAULT_TOKENS) if limit > 0 else UNKNOWN_TOKENS
    return min(asked, limit) if limit > 0 else asked


def _none(draft: Draft) -> Plan:
    if _wants(draft):
        _drop(draft)
    return Plan(max_tokens(draft))


def _budgeted(draft: Draft, *, may_budget: bool) -> Plan:
    if _refuses(draft):
        return Plan(max_tokens(draft), OFF_SWITCH)
    if not _wants(draft):
        return Plan(max_tokens(draft))
    budget, room = _fitting(draft)
    if not may_budget or budget < LEAST_BUDGET:
        _drop(draft)
        return Plan(max_tokens(draft), OFF_SWITCH)
    effort = effort_of(draft.request.thinking) if draft.target.info.thinking == "effort" else None
    return Plan(room, _shown(draft, {"type": "enabled", "budget_tokens": budget}), effort)


def _fitting(draft: Draft) -> tuple[int, int]:
    """The budget and the tokens of the whole answer, of which it must leave some; 0 when no budget does."""
    budget = max(LEAST_BUDGET, budget_of(draft.request.thinking) or DEFAULT_BUDGET)
    limit, room = draft.target.info.max_output, max_tokens(draft)
    if draft.request.sampling.max_tokens is None:
        room = max(room, budget + ROOM_FOR_ANSWER)
        room = min(room, limit) if limit > 0 else room
    if budget >= room:
        budget = max(LEAST_BUDGET, room // 2)
    return (budget if budget < room else 0), room


def _adaptive(draft: Draft) -> Plan:
    if _refuses(draft):
        return Plan(max_tokens(draft), OFF_SWITCH)
    shown = _shown(draft, {"type": "adaptive"})
    if not _wants(draft):
        return Plan(max_tokens(draft), shown if "display" in shown and thinks_unasked(draft.target.model) else {})
    return Plan(max_tokens(draft), shown, _level(draft))


def _forced(draft: Draft) -> Plan:
    """The model thinks whatever it is told, so that there is only the effort, and whether the thinking is shown."""
    shown = _shown(draft, {"type": "adaptive"})
    thinking = shown if "display" in shown else {}
    if not _refuses(draft):
        return Plan(max_tokens(draft), thinking, _level(draft))
    _drop(draft)
    return Plan(max_tokens(draft), thinking, LEAST_EFFORT)


def _shown(draft: Draft, thinking: Wire) -> Wire:
    """The switch, with the wish to read the thinking, which newer models of Anthropic's leave out by themselves."""
    wanted = draft.request.thinking_mode != "hide" and is_claude(draft.target.model)
    return {**thinking, "display": "summarized"} if wanted else thinking


def _level(draft: Draft) -> str | None:
    effort = effort_of(draft.request.thinking)
    return None if effort is None else effort_level(draft.target.model, effort)


def _refuses(draft: Draft) -> bool:
    return effort_of(draft.request.thinking) in OFF


def _wants(draft: Draft) -> bool:
    asked = draft.request.thinking
    return not _refuses(draft) and (asked.enabled is True or effort_of(asked) is not None)


def _drop(draft: Draft) -> None:
    asked = draft.request.thinking
    draft.drop("reasoning_effort" if asked.enabled is None and asked.budget is None else "thinking")
