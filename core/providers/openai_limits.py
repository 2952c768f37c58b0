"""Reads `x-ratelimit-*` headers, in which OpenAI, Groq, xAI and others tell what is left of a limit."""

import re
from collections.abc import Mapping
from typing import Literal

from schemas.limit import LimitReading

KINDS: tuple[Literal["requests", "tokens"], ...] = ("requests", "tokens")
UNITS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PIECE.pattern})+", re.ASCII)


def read_limits(headers: Mapping[str, str], now: float) -> tuple[LimitReading, ...]:
    """What the headers say, `now` in seconds since the epoch; requests are per minute at OpenAI, per day at Groq.

    (https://platform.openai.com/docs/guides/rate-limits, https://console.groq.com/docs/rate-limits)
    """
    readings = []
    for kind in KINDS:
        limit, left = (_count(headers.get(f"x-ratelimit-{what}-{kind}")) for what in ("limit", "remaining"))
        reset = seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))
        if limit is not None or left is not None:
            readings.append(LimitReading(kind, limit, left, None if reset is None else now + reset))
    return tuple(readings)


def seconds(duration: str) -> float | None:
    """A duration as Go writes it (`8.64s`, `6m0s`, `17ms`), or plain seconds; None when it is neither."""
    text = duration.strip()
    if _DURATION.fullmatch(text):
        return sum(float(number) * UNITS[unit] for number, unit in _PIECE.findall(text))
    return float(text) if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII) else None


MOST_DIGITS = 15


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal() else None
