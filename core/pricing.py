"""What an answer cost, from its usage and a dated price."""

from schemas.model import Price
from schemas.usage import Usage

PER_MILLION = 1_000_000


def cost_of(usage: Usage | None, price: Price | None) -> float | None:
    """USD, or None when the usage or any price that is needed is unknown: unknown is never zero."""
    if usage is None or price is None or usage.output is None or (usage.uncached is None and usage.read is None):
        return None
    cached_price = price.cached if price.cached is not None else price.input
    total = 0.0
    for tokens, rate in ((usage.uncached, price.input), (usage.read, cached_price), (usage.output, price.output)):
        if tokens:
            if rate is None:
                return None
            total += tokens * rate / PER_MILLION
    return total
