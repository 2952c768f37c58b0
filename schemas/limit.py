"""What a provider says of its own limits in the headers of an answer."""

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
