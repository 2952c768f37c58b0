"""Recognises what a model of Gemini's has refused and the answer can come without."""

import re

from core.errors import GatewayError, InvalidRequest

REFUSALS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), names)
    for pattern, names in (
        (r"penalty is not enabled", ("presence_penalty", "frequency_penalty")),
        (r"thinking level '?(\w+)'? is not supported", ("thinking_level.{}",)),
        (r"'(\w+)' is not a supported thinking level", ("thinking_level.{}",)),
        (r"budget (0) is invalid", ("thinking_budget.{}",)),
        (r"thinking is not enabled|include_thoughts is only", ("thinking",)),
    )
)
"""What models refuse that nobody says it of beforehand, and the names of what the answer can come without."""
UNTRUE = re.compile(r"thought.?signature", re.IGNORECASE)
"""Stands in an error that is about the signatures of a history."""


def refused(error: GatewayError) -> tuple[str, ...]:
    """The names of what `error` refuses of a model and the request can do without."""
    if type(error) is not InvalidRequest:
        return ()
    for pattern, names in REFUSALS:
        if found := pattern.search(error.message):
            return tuple(name.format(*found.groups()).lower() for name in names)
    return ()


def refuses_signatures(error: GatewayError) -> bool:
    """True when the calls of the history bear no signature that Gemini takes."""
    return type(error) is InvalidRequest and UNTRUE.search(error.message) is not None
