"""Times in which a credential is not used for one model."""

from collections.abc import Mapping
from dataclasses import dataclass

MEMORY = 60.0
"""Seconds for which a rest that is over is remembered, so that the next one is longer."""

MAX_MODELS = 200


@dataclass(frozen=True, slots=True)
class Rest:
    """Not used until `until`, in seconds since the epoch; `step` counts the rests in a row before it.

    `refused` means that the credential may not use the model at all, which time alone does not mend.
    """

    until: float
    step: int = 0
    refused: bool = False


def lasting(first: Mapping[str, Rest], second: Mapping[str, Rest]) -> Mapping[str, Rest]:
    """Of both the rest that ends later, for each model."""
    if not second:
        return first
    later = {model: max((rest, first.get(model, rest)), key=_order) for model, rest in second.items()}
    return {**first, **later}


def alive(rests: Mapping[str, Rest], now: float) -> Mapping[str, Rest]:
    """Those that still mean something; of too many the ones that last longest."""
    kept = {model: rest for model, rest in rests.items() if rest.until + MEMORY > now}
    if len(kept) > MAX_MODELS:
        longest = sorted(kept, key=lambda model: kept[model].until)[-MAX_MODELS:]
        kept = {model: kept[model] for model in longest}
    return kept


def _order(rest: Rest) -> tuple[float, int, bool]:
    return rest.until, rest.step, rest.refused
