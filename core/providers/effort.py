"""Thinking asked for by effort or by a budget of tokens, each as the other."""

from collections.abc import Sequence

from schemas.chat import ThinkingOptions

OFF = frozenset({"none", "minimal"})
"""Efforts that mean no thinking worth the name."""

RISING = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""OpenAI's efforts, from the least to the most."""
BUDGETS: tuple[tuple[str, int], ...] = (("low", 2_048), ("medium", 8_192), ("high", 16_384), ("xhigh", 32_768))
"""What an effort comes to in tokens; a budget is the least effort that covers it, and `high` above all but that."""
LARGEST = 32_768


def effort_of(asked: ThinkingOptions) -> str | None:
    """The effort that was asked for, in OpenAI's words; None when the client did not say how much."""
    if asked.enabled is False:
        return "none"
    if asked.effort is not None:
        return asked.effort
    if asked.budget is None or asked.budget < 0:
        # Below zero the model decides, at Gemini.
        return None
    if asked.budget == 0:
        return "none"
    return next((effort for effort, budget in BUDGETS if asked.budget <= budget), "xhigh")


def budget_of(asked: ThinkingOptions) -> int | None:
    """The tokens of thinking that were asked for, 0 for none; None when the client did not say how much."""
    if asked.enabled is False:
        return 0
    if asked.budget is not None:
        return asked.budget
    if asked.effort is None:
        return None
    return 0 if asked.effort in OFF else dict(BUDGETS).get(asked.effort, LARGEST)


def nearest(effort: str, taken: Sequence[str]) -> str:
    """The one of the efforts `taken` that is nearest to `effort`, the lesser of two; a word nobody knows stays."""
    if effort in taken or effort not in RISING:
        return effort
    wanted = RISING.index(effort)
    return min(taken, key=lambda level: (abs(RISING.index(level) - wanted), RISING.index(level)))
