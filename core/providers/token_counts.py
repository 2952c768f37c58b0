"""Believes what a provider tells of tokens as far as an answer can have so many."""

from typing import Any

import structlog

MOST_TOKENS = 10_000_000
"""Several times what any model reads at once."""
MOST_OUTPUT = 1_000_000
"""Several times what any model writes at once."""


def told(value: Any, most: int = MOST_TOKENS) -> int | None:
    """The count that `value` is; None when it is none that can be.

    What is no number, below zero or above `most` is no count at all, so that what it stands for is estimated: believed,
    it would use up every budget, or fill it again. It leaves a warning in the log.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
        return int(value)
    structlog.get_logger(__name__).warning("token_count_not_believed", told=_shown(value))
    return None


def told_output(value: Any) -> int | None:
    """The same for tokens that a model wrote."""
    return told(value, MOST_OUTPUT)


def _shown(value: Any) -> str:
    """A number, shortened; of anything else its kind, as it may say whatever it likes."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number:
        return type(value).__name__
    return repr(value) if isinstance(value, float) or abs(value) < 10**20 else "a number of more than 20 digits"
