"""Says of one answered request what it read from the cache, what it lost, and why."""

from dataclasses import dataclass, replace

from core.prompt_cache.causes import Cause, cause_of, first_difference, is_stripped, is_unmarked
from core.prompt_cache.diagnosis import Diagnosis, overruled
from core.prompt_cache.donors import Donor
from core.prompt_cache.expectation import Expectation, expectation
from core.prompt_cache.loss import lost_tokens, lost_usd, saved_usd, written_usd
from core.prompt_cache.names import Match
from core.prompt_cache.prompt import Prompt
from core.prompt_cache.rules import Rules
from schemas.model import Price
from schemas.usage import Usage

LARGE = 1024
"""A prompt of more tokens than this is one whose marks nobody may ignore."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of the cache for one request. Tokens are counts; USD is None where a price that is needed is unknown.

    `read` and `hit_ratio` are None when the provider did not report them. `missed` tokens and USD are what a cause that
    is no loss has cost all the same: an expired cache, a race, a missing mark, a write that nobody read. `is_estimated`
    tells that `expected` is, and with it what was lost; `is_notional`, that the plan has a flat fee, so that nobody pays
    these dollars. `block` is the first one that differs from what was cached, `parameter` the one that has changed.
    `provider_fault`: nobody else can be blamed.
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
    is_estimated: bool = False
    is_notional: bool = False
    block: str | None = None
    parameter: str | None = None
    provider_fault: bool = False


def judge(
    prompt: Prompt,
    match: Match | None,
    usage: Usage | None,
    price: Price | None,
    rules: Rules | None,
    *,
    diagnosis: Diagnosis | None = None,
    is_notional: bool = False,
) -> Finding:
    """The finding for a request that was answered.

    `match` is what `expectation.best` found, `price` the one for a prompt of `usage.prompt` tokens, `rules` those of
    the model that answered (None: it caches nothing).
    """
    if usage is None or usage.read is None:
        return Finding("unreported", is_notional=is_notional)
    ratio = usage.read / usage.prompt if usage.prompt else None
    saved = saved_usd(usage, price, rules)
    bare = Finding("cold", read=usage.read, saved_usd=saved, hit_ratio=ratio, is_notional=is_notional)
    if rules is None or match is None:
        return replace(bare, cause="unmarked") if rules is not None and is_unmarked(None, prompt, rules) else bare
    promise = expectation(match, prompt, rules, usage.prompt)
    lacking = lost_tokens(promise.tokens, usage.read)
    found = replace(bare, is_estimated=promise.is_estimated, block=first_difference(match, prompt))
    excuse = _excuse(match, prompt, promise, rules)
    cost = lost_usd(lacking, usage, price, rules)
    if excuse is not None and (lacking or not promise.tokens):
        return replace(found, cause=excuse, missed=lacking, missed_usd=cost)
    if not lacking:
        return replace(found, cause="hit", expected=promise.tokens)
    blame = overruled(
        cause_of(match, prompt, rules), diagnosis, is_kept=match.is_kept, is_estimated=promise.is_estimated
    )
    return replace(
        found,
        cause=blame.cause,
        expected=promise.tokens,
        lost=lacking,
        lost_usd=cost,
        block=blame.block,
        parameter=blame.parameter,
        provider_fault=blame.cause == "evicted",
    )


def _excuse(match: Match, prompt: Prompt, promise: Expectation, rules: Rules) -> Cause | None:
    """Why nothing was due to be read, if nothing was."""
    if is_unmarked(match, prompt, rules):
        return "unmarked"
    if promise.standing == "expired":
        return "expired"
    if promise.standing == "racing":
        return "race"
    if promise.standing == "unreached" and not is_stripped(match, prompt, rules):
        return "unmarked"
    return None if promise.tokens else "below_min"
