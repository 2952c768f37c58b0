"""What became of the prompt cache for one request."""

from dataclasses import dataclass

from core.prompt_cache.causes import Cause


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause with its figures: tokens, and USD with None where a price that is needed is unknown.

    `read` and `hit_ratio` are None when the provider did not report them. `expected` is what was due to be read, and
    `lost` what of it was not. `missed` is what was not read because of a cause that is no loss: an expired cache, a
    race, a missing mark, a write that nobody read. `estimated`: what was expected is, and with it what was lost or
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
    hit_ratio: float | None = None
    estimated: bool = False
    notional: bool = False
    block: str | None = None
    parameter: str | None = None
    provider_fault: bool = False
