"""What became of the prompt cache for one request."""

from dataclasses import dataclass
from typing import Literal

from core.prompt_cache.causes import Cause

Kind = Literal["loss", "missed", "saving", "fee", "waste"]
"""What dollars stand for, as the metrics call it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause with its figures: tokens, and USD with None where a price that is needed is unknown.

    `read` and `hit_ratio` are None when the provider did not report them. `expected` is what was due to be read, and
    `lost` what of it was not. `missed` is what was not read because of a cause that is no loss: an expired cache, a
    race, a missing mark, a write that nobody read. `saved_usd` is what reading saved less `fee_usd`, what writing cost
    above plain input, so it may be below zero. `estimated`: what was expected is, and with it what was lost or
    missed. `notional`: the plan has a flat fee, so that nobody pays these dollars. `block` is the first one that
    differs from what was cached, `parameter` the one that has changed. `provider_fault`: nobody else can be blamed.
    """

    cause: Cause
    expected: int = 0
    read: int | None = None
    lost: int = 0
    lost_usd: float | None = 0.0
    missed: int = 0
    missed_usd: float | None = 0.0
    saved_usd: float | None = None
    fee_usd: float | None = None
    hit_ratio: float | None = None
    estimated: bool = False
    notional: bool = False
    block: str | None = None
    parameter: str | None = None
    provider_fault: bool = False

    @property
    def dollars(self) -> dict[Kind, float]:
        """What is known of each kind, none of it below zero: a cache that is dearer than plain input has a fee."""
        if self.cause == "write_waste":
            return {"waste": self.missed_usd} if self.missed_usd else {}
        fee = self.fee_usd or 0.0
        gain = 0.0 if self.saved_usd is None else self.saved_usd + fee
        found: dict[Kind, float] = {
            "loss": self.lost_usd or 0.0,
            "missed": self.missed_usd or 0.0,
            "saving": max(0.0, gain),
            "fee": fee + max(0.0, -gain),
        }
        return {kind: usd for kind, usd in found.items() if usd > 0}


def notional_usd(finding: Finding) -> dict[str, float]:
    """The dollars of a finding by their kinds, if nobody pays them."""
    return {kind: usd for kind, usd in finding.dollars.items() if finding.notional}
