"""What an answer cost, from its usage and a dated price."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any

from schemas.model import ModelInfo, Price
from schemas.usage import Usage

PER_MILLION = 1_000_000
MORE_THAN_ANY = 10**9
"""Tokens that no prompt has."""
NANO = 1_000_000_000
"""Budgets are counted in billionths of a dollar, which whole numbers hold exactly up to nine million dollars."""


ORDINARY: Mapping[str, frozenset[str]] = {
    "speed": frozenset({"standard"}),
    "inference_geo": frozenset({"global"}),
    "service_tier": frozenset({"auto", "default", "standard", "standard_only", "on_demand"}),
}
"""What costs the usual price, by the fields of a request that another price may hang on."""


def extras_of(body: Mapping[str, Any], dropped: Collection[str] = ()) -> frozenset[str]:
    """What of a request's body has a price of its own, as `speed=fast`; what was `dropped` on the way has none."""
    said = {name: body.get(name) for name in ORDINARY if name not in dropped}
    return frozenset(
        f"{name}={value}" for name, value in said.items() if isinstance(value, str) and value not in ORDINARY[name]
    )


def cost_of(usage: Usage | None, price: Price | None) -> float | None:
    """USD, or None when the usage or any price that is needed is unknown: unknown is never zero.

    Reckoned in decimals, so that it is right to the last digit. `price` must be the one for a prompt of `usage.prompt`
    tokens.
    """
    if usage is None or price is None or usage.output is None:
        return None
    prompt = (
        (usage.uncached, price.input),
        (usage.read, price.cached),
        (usage.write_short, price.write_short),
        (usage.write_long, price.write_long),
    )
    if all(tokens is None for tokens, _ in prompt):
        return None
    total = Decimal(0)
    for tokens, rate in (*prompt, (usage.output, price.output)):
        if tokens:
            if rate is None:
                return None
            total += tokens * Decimal(repr(rate))
    return float(total / PER_MILLION)


def dearest(models: Iterable[ModelInfo], day: date) -> Price | None:
    """A price that no answer of any of these models passes on that day; None when none is known.

    All of a prompt costs the same, as it may have been written to any cache.
    """
    tiers = [price for info in models for price in info.prices_on(day, 0, MORE_THAN_ANY) if price is not None]
    inputs = [
        rate for one in tiers for rate in (one.input, one.cached, one.write_short, one.write_long) if rate is not None
    ]
    outputs = [one.output for one in tiers if one.output is not None]
    if not inputs or not outputs:
        return None
    rate = max(inputs)
    return Price(day, rate, rate, max(outputs), rate, rate)


def nano(cost: float) -> int:
    """USD in billionths of a dollar, rounded up."""
    return ceil(Decimal(repr(cost)) * NANO)


def most(price: Price | None, prompt: int, output: int) -> float | None:
    """USD that so many tokens cost at most, with nothing read from a cache; None when that is unknown."""
    if price is None or price.input is None or (output and price.output is None):
        return None
    dearest = max(price.input, price.write_short or 0.0, price.write_long or 0.0)
    return cost_of(Usage(uncached=prompt, output=output), Price(price.since, input=dearest, output=price.output))
