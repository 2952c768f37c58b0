"""What an answer cost, from its usage and a dated price."""

from schemas.model import Price
from schemas.usage import Usage

PER_MILLION = 1_000_000


def cost_of(usage: Usage | None, price: Price | None) -> float | None:
    """USD, or None when the usage or any price that is needed is unknown: unknown is never zero.

    `price` must be the one for a prompt of `usage.prompt` tokens.
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
    total = 0.0
    for tokens, rate in (*prompt, (usage.output, price.output)):
        if tokens:
            if rate is None:
                return None
            total += tokens * rate / PER_MILLION
    return total
