"""Says of one answered request what it read from the cache, what it lost, and why."""

from dataclasses import replace

from core.prompt_cache.causes import Case, Cause, cause_of, is_without_marks
from core.prompt_cache.diagnosis import Diagnosis, overruled
from core.prompt_cache.expectation import Expectation, expectation
from core.prompt_cache.finding import Finding
from core.prompt_cache.loss import fee_usd, lost_tokens, lost_usd, saved_usd, written_usd
from core.prompt_cache.names import Match
from core.prompt_cache.prompt import Prompt
from core.prompt_cache.rules import Rules
from schemas.model import Price
from schemas.usage import Usage


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
    the model that answered (None: it caches nothing). `diagnosis` is what the provider itself says of a miss.
    """
    if usage is None or usage.read is None:
        return Finding("unreported", notional=notional)
    bare = Finding(
        "cold",
        read=usage.read,
        saved_usd=saved_usd(usage, price, rules),
        fee_usd=fee_usd(usage, price, rules),
        hit_ratio=usage.read / usage.prompt if usage.prompt else None,
        notional=notional,
    )
    if usage.read and (match is None or rules is None):
        # Who wrote it is not known here, or that there is a cache at all, but it was there and was read.
        return replace(bare, cause="hit")
    if rules is None:
        return bare
    if match is None:
        return replace(bare, cause="unmarked") if is_without_marks(prompt, rules) else bare
    return _weighed(bare, Case(match, prompt, rules), usage, price, diagnosis)


def write_waste(short: int, long: int, price: Price | None, *, notional: bool = False) -> Finding:
    """What writing so many tokens cost above plain input, of a prompt that nothing has read by the end of its life.

    `price` is the one for that prompt.
    """
    return Finding("write_waste", missed=short + long, missed_usd=written_usd(short, long, price), notional=notional)


def _weighed(bare: Finding, case: Case, usage: Usage, price: Price | None, diagnosis: Diagnosis | None) -> Finding:
    promise = expectation(case.match, case.prompt, case.rules, usage.prompt)
    lacking = lost_tokens(promise.tokens, bare.read or 0)
    cost = lost_usd(lacking, usage, price, case.rules)
    excuse = _excuse(case, promise)
    expected = 0 if excuse is not None and lacking else promise.tokens
    found = replace(bare, expected=expected, estimated=promise.estimated, block=case.block)
    if not lacking and case.match.lapsed is not None:
        other = _weighed(bare, replace(case, match=case.match.lapsed), usage, price, None)
        if other.missed:
            return replace(other, expected=expected)
    if excuse is not None and (lacking or not promise.tokens):
        return replace(found, cause=excuse, missed=lacking, missed_usd=cost)
    if not lacking:
        return replace(found, cause="hit")
    blame = overruled(cause_of(case), diagnosis, is_kept=case.match.is_kept, estimated=promise.estimated)
    return replace(
        found,
        cause=blame.cause,
        lost=lacking,
        lost_usd=cost,
        block=blame.block,
        parameter=blame.parameter,
        provider_fault=blame.cause == "evicted",
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
