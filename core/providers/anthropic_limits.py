"""Reads `anthropic-ratelimit-*` headers (https://platform.claude.com/docs/en/api/rate-limits)."""

from collections.abc import Mapping
from datetime import UTC, datetime

from schemas.limit import LimitKind, LimitReading

FAMILIES: Mapping[str, LimitKind] = {
    "requests": "requests",
    "tokens": "tokens",
    "input-tokens": "input_tokens",
    "output-tokens": "output_tokens",
}
"""The limits of ordinary traffic. Those of priority and fast requests bound nothing else, and are not read."""


def read_limits(headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
    """What the headers say, names in lower case. `tokens` is the tightest of the token limits."""
    readings = []
    for name, kind in FAMILIES.items():
        limit, left = (_count(headers.get(f"anthropic-ratelimit-{name}-{what}")) for what in ("limit", "remaining"))
        if limit is not None or left is not None:
            reset = _moment(headers.get(f"anthropic-ratelimit-{name}-reset", ""))
            readings.append(LimitReading(kind, limit, left, reset))
    return tuple(readings)


MOST_DIGITS = 15


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal() else None


def _moment(text: str) -> float | None:
    """A time as RFC 3339 has it, in seconds since the epoch."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
