"""Finds providers that ignore the marks of a large prompt without a word."""

from typing import TypeGuard

from core.prompt_cache.finding import Finding
from core.prompt_cache.loss import fee_usd, lost_usd, saved_usd
from core.prompt_cache.prompt import Prompt
from core.prompt_cache.rules import Rules
from schemas.model import Price
from schemas.usage import Usage

LARGE = 1024
"""A prompt of more tokens than this is a large one."""


def silent_cache_loss(
    prompt: Prompt, usage: Usage | None, price: Price | None, rules: Rules | None, *, notional: bool = False
) -> Finding | None:
    """The loss of a large marked prompt that was neither read nor written, although the provider reports both.

    All that was marked is lost, at the price of plain input less that of reading. None for a prompt without marks, or
    marked for less than the minimum, and where reading or writing is not reported.

    No earlier request is needed: a cold prompt counts too, as heeded marks would have had it written. So this holds
    for caches with a fee for writing only; the others report no writes, or always zero. `judge` may find another loss
    in the same request: then the larger one counts, not both.
    """
    if rules is None or not rules.write_fee or not prompt.chain.marks or not _is_untouched(usage):
        return None
    length = prompt.chain.marks[-1]
    is_whole = length == len(prompt.chain)
    share = prompt.chain.characters(length) / prompt.chain.characters()
    marked = usage.prompt if is_whole else int(usage.prompt * share)
    if marked < rules.minimum:
        return None
    return Finding(
        "ignored",
        expected=marked,
        read=0,
        lost=marked,
        lost_usd=lost_usd(marked, usage, price, rules),
        saved_usd=saved_usd(usage, price, rules),
        fee_usd=fee_usd(usage, price, rules),
        hit_ratio=0.0,
        estimated=not is_whole,
        notional=notional,
        provider_fault=True,
    )


def _is_untouched(usage: Usage | None) -> TypeGuard[Usage]:
    """True for a large prompt of which the provider reports that none was read and none written."""
    if usage is None or usage.prompt <= LARGE:
        return False
    written = [count for count in (usage.write_short, usage.write_long) if count is not None]
    return usage.read == 0 and bool(written) and not any(written)
