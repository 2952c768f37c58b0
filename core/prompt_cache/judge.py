"""Says of one answered request what it read from the cache, what it lost, and why."""

from dataclasses import dataclass, replace

from core.prompt_cache.causes import Case, Cause, cause_of, is_without_marks
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
    is no loss has cost all the same: an expired cache, a race, a missing mark, a write that nobody read. `estimated`
    tells that `expected` is, and with it what was lost; `notional`, that the plan has a flat fee, so that nobody pays
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
    estimated: bool = False
    notional: bool = False
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
    notional: bool = False,
) -> Finding:
    """The finding for a request that was answered.

    `match` is what `expectation.best` found, `price` the one for a prompt of `usage.prompt` tokens, `rules` those of
    the model that answered (None: it caches nothing).
    """
    if usage is None or usage.read is None:
        return Finding("unreported", notional=notional)
    ratio = usage.read / usage.prompt if usage.prompt else None
    saved = saved_usd(usage, price, rules)
    bare = Finding("cold", read=usage.read, saved_usd=saved, hit_ratio=ratio, notional=notional)
    if rules is None or match is None:
        return replace(bare, cause="unmarked") if rules is not None and is_without_marks(prompt, rules) else bare
    case = Case(match, prompt, rules)
    promise = expectation(match, prompt, rules, usage.prompt)
    lacking = lost_tokens(promise.tokens, usage.read)
    cost = lost_usd(lacking, usage, price, rules)
    found = replace(bare, estimated=promise.estimated, block=case.block)
    excuse = _excuse(case, promise)
    if excuse is not None and (lacking or not promise.tokens):
        return replace(found, cause=excuse, missed=lacking, missed_usd=cost)
    if not lacking:
        return replace(found, cause="hit", expected=promise.tokens)
    blame = overruled(cause_of(case), diagnosis, is_kept=match.is_kept, estimated=promise.estimated)
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


def silent_cache_loss(
    prompt: Prompt, usage: Usage | None, price: Price | None, rules: Rules | None, *, notional: bool = False
) -> Finding | None:
    """The loss of a large marked prompt that was neither read nor written, although the provider reports both.

    All that was marked is lost, at the price of plain input less that of reading. None when that is not the case. Needs
    no donor, and holds for a cold prompt too: heeded marks would have had it written. So it is told only of caches that
    report what they write. `judge` may find another loss in the same request: the larger of the two counts, not both.
    """
    if usage is None or rules is None or not rules.write_fee or not prompt.chain.marks:
        return None
    if usage.read != 0 or usage.write_short is None or usage.write_short or usage.write_long or usage.prompt <= LARGE:
        return None
    length = prompt.chain.marks[-1]
    whole = length == len(prompt.chain)
    share = prompt.chain.characters(length) / prompt.chain.characters()
    marked = usage.prompt if whole else int(usage.prompt * share)
    if marked < rules.minimum:
        return None
    return Finding(
        "ignored",
        expected=marked,
        read=0,
        lost=marked,
        lost_usd=lost_usd(marked, usage, price, rules),
        saved_usd=saved_usd(usage, price, rules),
        hit_ratio=0.0,
        estimated=not whole,
        notional=notional,
        provider_fault=True,
    )


def write_waste(donor: Donor, price: Price | None, *, notional: bool = False) -> Finding:
    """What writing cost above plain input for a prompt that nothing had read by the end of its life.

    `price` is the one for a prompt of `donor.total` tokens.
    """
    return Finding(
        "write_waste",
        missed=donor.written_short + donor.written_long,
        missed_usd=written_usd(donor.written_short, donor.written_long, price),
        notional=notional,
    )


def _excuse(case: Case, promise: Expectation) -> Cause | None:
    """Why nothing was due to be read, if nothing was."""
    if case.is_unmarked:
        return "unmarked"
    if promise.standing == "expired":
        return "expired"
    if promise.standing == "racing":
        return "race"
    if promise.standing == "unreached" and not case.is_stripped:
        return "unmarked"
    return None if promise.tokens else "below_min"
