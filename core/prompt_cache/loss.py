"""How many tokens were not read that should have been, and what that cost."""

from core.pricing import PER_MILLION
from core.prompt_cache.rules import Rules
from schemas.model import Price
from schemas.usage import Usage

LEAST_TOKENS = 256
LEAST_SHARE = 0.05
"""What is missing counts only above both: providers read in steps, and prompts are estimated."""


def lost_tokens(expected: int, read: int) -> int:
    """What was expected and not read, 0 when that is too little to count."""
    lost = max(0, expected - read)
    return lost if lost > max(LEAST_TOKENS, LEAST_SHARE * expected) else 0


def lost_usd(lost: int, usage: Usage, price: Price | None, rules: Rules | None) -> float | None:
    """What so many lost tokens cost above the price of reading them, None when a price that is needed is unknown.

    A missed prefix is normally written again, so that they were written as far as anything was, for long ahead of for
    short, and the others plain input. `price` is the one for a prompt of `usage.prompt` tokens. Never less than zero,
    even where reading costs more than input.
    """
    if not lost:
        return 0.0
    if price is None or price.cached is None:
        return None
    has_fee = rules is not None and rules.write_fee
    long = min(lost, usage.write_long or 0) if has_fee else 0
    short = min(lost - long, usage.write_short or 0) if has_fee else 0
    parts = ((long, price.write_long), (short, price.write_short), (lost - long - short, price.input))
    cost = _above(price.cached, parts)
    return None if cost is None else max(0.0, cost)


def saved_usd(usage: Usage, price: Price | None, rules: Rules | None) -> float | None:
    """What reading saved less what writing cost beside plain input; None when a price that is needed is unknown.

    Below zero for a prompt that was written and not read.
    """
    if price is None or price.input is None:
        return None
    read, fee = _above(price.input, ((usage.read or 0, price.cached),)), fee_usd(usage, price, rules)
    return None if read is None or fee is None else -read - fee


def fee_usd(usage: Usage, price: Price | None, rules: Rules | None) -> float | None:
    """What writing cost above plain input, zero where there is no fee for it; None when a price is unknown."""
    if rules is None or not rules.write_fee:
        return 0.0
    return written_usd(usage.write_short or 0, usage.write_long or 0, price)


def written_usd(short: int, long: int, price: Price | None) -> float | None:
    """What writing so many tokens to a cache cost above plain input; None when a price that is needed is unknown."""
    if price is None or price.input is None:
        return None
    return _above(price.input, ((short, price.write_short), (long, price.write_long)))


def _above(base: float, parts: tuple[tuple[int, float | None], ...]) -> float | None:
    """USD of the (tokens, price) in `parts` above what the same tokens cost at `base`."""
    total = 0.0
    for tokens, rate in parts:
        if tokens:
            if rate is None:
                return None
            total += tokens * (rate - base) / PER_MILLION
    return total
