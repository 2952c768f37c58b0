"""The limits of keys: what they were given, what their provider says of them, and what is left."""

from dataclasses import dataclass
from typing import Literal

LimitKind = Literal["requests", "tokens", "input_tokens", "output_tokens"]


@dataclass(frozen=True, slots=True)
class LimitReading:
    """One limit of one credential: how much in all, what is left, when it is whole again (seconds since the epoch).

    None means "not said".
    """

    kind: LimitKind
    limit: int | None = None
    remaining: int | None = None
    resets_at: float | None = None


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key may do in any minute; None means no limit that is known."""

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


UNLIMITED = KeyLimits()


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """How a kind of provider limits those who use it.

    `cached_reads`: tokens that come from a prompt cache count toward the input limit. `per_model`: each model has
    limits of its own. `refills`: what is told is a bucket that fills up all the time, and is full at its reset, where
    others give all of it back at the reset only. Whichever of an account's keys is used, the limits are the account's.
    """

    cached_reads: bool = True
    per_model: bool = False
    refills: bool = False


PLAIN = LimitFacts()
"""What is taken for granted of a provider of which nothing else is known."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is left of a pool: keys that can be used now, requests, and prompt tokens; None where no limit is known."""

    keys_available: int
    remaining_requests: int | None = None
    remaining_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit of ours; seconds until all of it is back."""

    limit: int
    remaining: int
    reset_after: float


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """What one caller's key may do, in the place of what any key may; None means as any key."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_streams: int | None = None


@dataclass(frozen=True, slots=True)
class BudgetState:
    """How a budget stands: USD that are spent or reserved, and when it begins anew, in seconds since the epoch."""

    scope: str
    name: str
    window: str
    limit_usd: float
    spent_usd: float
    resets_at: float
