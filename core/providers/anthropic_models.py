"""What Anthropic's models know and the catalogue has no word for, by the name an endpoint knows them by.

(https://platform.claude.com/docs/en/about-claude/models/overview)
"""

import re
from collections.abc import Mapping

LAST_WITH_PREFILL = (4, 5)
FIRST_WITH_XHIGH = (4, 7)
FIRST_THINKING_UNASKED = (5, 0)
FIRST_WITH_SYSTEM_IN_PLACE: Mapping[str, tuple[int, int]] = {
    "opus": (4, 8),
    "sonnet": (5, 5),
    "haiku": (5, 5),
    "fable": (5, 0),
    "mythos": (5, 0),
}

_NUMBER = r"(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)"
_FAMILIES = "|".join(FIRST_WITH_SYSTEM_IN_PLACE)
_MODERN = re.compile(rf"claude-({_FAMILIES})-{_NUMBER}", re.IGNORECASE)
_EARLY = re.compile(rf"claude-{_NUMBER}", re.IGNORECASE)


def is_claude(model: str) -> bool:
    """True for a model of Anthropic's, wherever it is served: its rules of what goes together hold there."""
    return "claude" in model.lower()


def takes_system_in_place(model: str) -> bool:
    """True when messages of role `system` may stand in the middle of the conversation."""
    modern = _MODERN.search(model)
    return modern is not None and _generation(model) >= FIRST_WITH_SYSTEM_IN_PLACE[modern[1].lower()]


def takes_prefill(model: str) -> bool:
    """True when the model goes on writing where the last message, one of its own, stops."""
    return (0, 0) < _generation(model) <= LAST_WITH_PREFILL


def thinks_unasked(model: str) -> bool:
    """True when the model thinks unless told not to, so that asking to see its thinking costs nothing more.

    Of Haiku that is not certain.
    """
    return _generation(model) >= FIRST_THINKING_UNASKED and "haiku" not in model.lower()


def effort_level(model: str, effort: str) -> str:
    """The level of effort nearest to `effort` that `model` has."""
    lacking = effort == "xhigh" and (0, 0) < _generation(model) < FIRST_WITH_XHIGH
    return "high" if lacking else effort


def _generation(model: str) -> tuple[int, int]:
    """The model's generation, as 4.5 is (4, 5); (0, 0) when the name is none of Anthropic's."""
    modern, early = _MODERN.search(model), _EARLY.search(model)
    major, minor = modern.groups()[1:] if modern else early.groups() if early else (0, 0)
    return int(major), int(minor or 0)
