"""The tokens one answer was billed for, in one form for every provider."""

from dataclasses import dataclass
from typing import Literal

UsageSource = Literal["reported", "computed", "estimated"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Disjoint token counts; None means "not reported", which is never the same as zero.

    `uncached + read + write_short + write_long` is the whole prompt; `output` includes `reasoning`.
    """

    uncached: int | None = None
    read: int | None = None
    write_short: int | None = None
    write_long: int | None = None
    output: int | None = None
    reasoning: int | None = None
    source: UsageSource = "reported"

    def __post_init__(self) -> None:
        for name in ("uncached", "read", "write_short", "write_long", "output", "reasoning"):
            value = getattr(self, name)
            if value is not None and value < 0:
                object.__setattr__(self, name, 0)

    @property
    def prompt(self) -> int:
        """All prompt tokens, cached or not."""
        return (self.uncached or 0) + (self.read or 0) + (self.write_short or 0) + (self.write_long or 0)

    @property
    def total(self) -> int:
        """Prompt and output together."""
        return self.prompt + (self.output or 0)
