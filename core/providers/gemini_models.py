"""What Gemini's models demand and the catalogue has no word for, by the name the API knows them by.

(https://ai.google.dev/gemini-api/docs/thinking, https://ai.google.dev/gemini-api/docs/thought-signatures)
"""

import re
from dataclasses import dataclass

from schemas.model import ModelInfo, ThinkingControl

_GEMINI = re.compile(r"gemini-(?:(\d{1,2})(?:\.(\d{1,2}))?)?", re.IGNORECASE)
_UNNUMBERED = (99, 0)
FIRST_THINKING = (2, 5)
FIRST_SIGNED = (3, 0)


@dataclass(frozen=True, slots=True)
class Budget:
    """The tokens of thinking a model can be given; `unasked`: it thinks when nothing is said of thinking."""

    least: int
    most: int
    can_stop: bool = True
    unasked: bool = True


BUDGETS: tuple[tuple[str, Budget], ...] = (
    ("flash-lite", Budget(512, 24_576, unasked=False)),
    ("pro", Budget(128, 32_768, can_stop=False)),
    ("", Budget(128, 24_576)),
)
"""By what stands in the model's name; the first that fits counts. Some take no fewer than 128 that could be told 1."""


def generation(model: str) -> tuple[int, int]:
    """The model's generation, as 2.5 is (2, 5); above all others for names like `gemini-flash-latest`, else (0, 0)."""
    found = _GEMINI.search(model)
    if found is None:
        return (0, 0)
    return (int(found[1]), int(found[2] or 0)) if found[1] else _UNNUMBERED


def budget_of_model(model: str) -> Budget:
    """The bounds of a model that is steered by a budget."""
    return next(budget for part, budget in BUDGETS if part in model.lower())


def thinking_control(info: ModelInfo, model: str) -> ThinkingControl:
    """How the model's thinking is steered: as the catalogue says, else as its name tells."""
    if info.thinking != "none" or "thinking" not in info.abilities or generation(model) < FIRST_THINKING:
        return info.thinking
    return "budget" if generation(model) < FIRST_SIGNED else "forced"


def is_signed(info: ModelInfo, model: str) -> bool:
    """True when the model demands its signature back with each call it made: Gemini 3 and later."""
    return info.thinking in ("effort", "forced", "adaptive") or (
        info.thinking != "budget" and generation(model) >= FIRST_SIGNED
    )
