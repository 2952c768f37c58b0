"""How much of a prompt should have been read from the cache, by the rules of its provider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from core.prompt_cache.donors import Donor, Mark
from core.prompt_cache.names import Match, matches
from core.prompt_cache.prompt import Prompt
from core.prompt_cache.rules import Rules

Standing = Literal["due", "expired", "racing", "unreached"]
"""Whether the read is due; if not: the cache has lived too long, was not written yet, or no mark is near enough."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """So many tokens should be read, or would have been if the read were due. Estimated ones may be somewhat off."""

    tokens: int
    estimated: bool
    standing: Standing


def best(found: Mapping[str, str], prompt: Prompt, rules: Rules | None) -> Match | None:
    """The earlier request of which most should be read, with the one of which more would have been (`lapsed`).

    Where nothing is due, the one of which most would have been.

    `found` are the texts kept under `names.sought(prompt)`. They may be looked up when the request is sent or after
    its answer; only then is it seen that a parallel request was still writing.
    """
    if rules is None:
        return None
    found_here = [(match, expectation(match, prompt, rules)) for match in matches(found, prompt)]
    due = _largest(pair for pair in found_here if pair[1].standing == "due" and pair[1].tokens)
    lapsed = _largest(pair for pair in found_here if pair[1].standing != "due")
    if due is None:
        return lapsed[0] if lapsed is not None else next((match for match, _ in found_here), None)
    if lapsed is None or lapsed[1].tokens <= due[1].tokens:
        return due[0]
    return replace(due[0], lapsed=lapsed[0])


def _largest(pairs: Iterable[tuple[Match, Expectation]]) -> tuple[Match, Expectation] | None:
    return max(pairs, key=lambda pair: pair[1].tokens, default=None)


def expectation(match: Match, prompt: Prompt, rules: Rules, total: int | None = None) -> Expectation:
    """What `prompt` should read of what the donor left; `total` are its own tokens, once they are known.

    Exact when it contains all that the donor left, else in proportion to the characters.
    """
    donor = match.donor
    left = _left(match, prompt, rules)
    fresh = [mark for mark in left if mark.life >= prompt.started - donor.started]
    within = [mark for mark in fresh if _is_reached(mark, match, prompt, rules)]
    if not within:
        longest = (fresh or left)[-1:]
        tokens = _tokens(longest[0], match, prompt, rules, total) if longest else 0
        return Expectation(tokens, estimated=True, standing="unreached" if fresh else "expired" if left else "due")
    tokens = _tokens(within[-1], match, prompt, rules, total)
    estimated = within[-1] != donor.marks[-1] or _is_elsewhere(donor, prompt) or not donor.is_exact
    if donor.begun <= prompt.started:
        return Expectation(tokens, estimated, "due")
    # What a parallel request has read itself was there before either of them.
    warm = min(tokens, donor.read)
    if warm >= max(1, rules.minimum):
        return Expectation(warm, estimated, "due")
    return Expectation(tokens, estimated, "racing")


def _left(match: Match, prompt: Prompt, rules: Rules) -> list[Mark]:
    """What the donor has left in the cache that is a beginning of this prompt, shortest first."""
    donor = match.donor
    reach = donor.length if match.is_kept else match.shared
    left = [mark for mark in donor.marks if mark.length <= reach]
    if left or rules.at_marks or not reach:
        return left
    return [Mark(reach, prompt.chain.characters(reach), donor.marks[-1].life)]


def _is_reached(mark: Mark, match: Match, prompt: Prompt, rules: Rules) -> bool:
    """False when every mark of this prompt stands ahead of, or too far behind, what was kept."""
    if rules.look_back is None or match.shared < mark.length or match.donor.family != prompt.identity.family:
        return True
    return any(0 <= own - mark.length < rules.look_back for own in prompt.chain.marks)


def _is_elsewhere(donor: Donor, prompt: Prompt) -> bool:
    """True when the donor's tokens were counted by another model, and so in another way."""
    return (donor.family, donor.model) != (prompt.identity.family, prompt.identity.upstream_model)


def _tokens(mark: Mark, match: Match, prompt: Prompt, rules: Rules, total: int | None) -> int:
    donor = match.donor
    last = donor.marks[-1]
    tokens = donor.cached
    if mark.length < last.length:
        density = donor.cached / last.characters
        if total is not None:
            # Of two estimates the lower one: not all text has as many tokens to the character.
            density = min(density, total / prompt.chain.characters())
        tokens = int(density * mark.characters) // rules.granularity * rules.granularity
    tokens = tokens if total is None else min(tokens, total)
    return tokens if tokens >= rules.minimum else 0
