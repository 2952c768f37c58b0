"""Makes a plan of a rule: which targets are tried, in which order, and why everything else is not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from config.settings import RouteSettings
from core.route_rules import Facts, by_weight, mismatch
from schemas.model import Target
from schemas.route import Candidate, Loser, Plan, Verdict


@dataclass(frozen=True, slots=True)
class Served:
    """Who serves a model now, in order, and who would but cannot."""

    targets: Sequence[Target] = ()
    losers: Sequence[Loser] = ()


Lookup = Callable[[str], Served]


@dataclass(frozen=True, slots=True)
class Choice:
    """One group of targets: a model's name, and why it is among those that are tried."""

    name: str
    why: str


@dataclass(slots=True)
class _Draft:
    """Candidates and losers so far; a target is a candidate once."""

    lookup: Lookup
    candidates: list[Candidate] = field(default_factory=list)
    losers: list[Loser] = field(default_factory=list)
    taken: set[tuple[str, str]] = field(default_factory=set)

    def add(self, choices: Sequence[Choice]) -> None:
        for choice in choices:
            served = self.lookup(choice.name)
            self.losers += served.losers
            if not served.targets and not served.losers:
                self.losers.append(Loser(None, choice.name, "nobody here serves it"))
            for target in served.targets:
                if (target.provider, target.model) not in self.taken:
                    self.taken.add((target.provider, target.model))
                    self.candidates.append(Candidate(target, choice.why))


def first_match(rules: Sequence[RouteSettings], facts: Facts) -> tuple[RouteSettings | None, list[Verdict]]:
    """The first rule that matches, and what each rule up to it says."""
    verdicts = []
    for rule in rules:
        reason = mismatch(rule.match, facts)
        verdicts.append(Verdict(rule.name, reason))
        if reason is None:
            return rule, verdicts
    return None, verdicts


def planned(rule: RouteSettings, verdicts: Sequence[Verdict], facts: Facts, session: str, lookup: Lookup) -> Plan:
    """The plan that follows from `rule` for a request of `session`. It may have no candidates."""
    draft = _Draft(lookup)
    draft.losers += [
        Loser(None, target.model, "its weight is 0") for target in rule.targets if not target.weight
    ]  # fmt: skip
    draft.add(list(_primary(rule, facts, session)))
    primary = len(draft.candidates)
    draft.add([Choice(name, f"fallback {number}") for number, name in enumerate(rule.fallbacks, start=1)])
    longer = _longer(rule, lookup)
    candidates, losers = _fitting(draft.candidates, primary, longer, facts)
    return Plan(
        candidates=tuple(candidates),
        longer=tuple(one for one in longer if one.target not in [chosen.target for chosen in candidates]),
        losers=(*draft.losers, *losers),
        rule=rule.name,
        verdicts=tuple(verdicts),
        prompt_tokens=facts.estimate,
        strict=rule.strict,
    )


def _primary(rule: RouteSettings, facts: Facts, session: str) -> Iterator[Choice]:
    if not rule.targets:
        yield Choice(facts.names[0], "the model that was asked for")
        return
    weights = {target.model: target.weight for target in rule.targets}
    total = sum(weights.values())
    for name in by_weight(weights, f"{rule.name}\0{session}"):
        share = f", with {weights[name] / total:.0%} of the conversations" if len(weights) > 1 else ""
        yield Choice(name, f"target{share}")


def _longer(rule: RouteSettings, lookup: Lookup) -> list[Candidate]:
    if rule.context_fallback is None:
        return []
    return [Candidate(target, "fallback for long prompts") for target in lookup(rule.context_fallback).targets]


def _fitting(
    candidates: Sequence[Candidate], primary: int, longer: Sequence[Candidate], facts: Facts
) -> tuple[list[Candidate], list[Loser]]:
    """Those whose context the prompt fits, with `longer` in the place of the first `primary` ones when it is needed.

    All of them when none fits, since an estimate alone is no reason to refuse.
    """
    if not longer and len({candidate.target.info.context for candidate in candidates}) < 2:
        return list(candidates), []
    fits = [_fits(candidate.target, facts) for candidate in candidates]
    kept = [candidate for candidate, fit in zip(candidates, fits, strict=True) if fit]
    if not all(fits[:primary]):
        spare = [one for one in longer if one.target not in [candidate.target for candidate in candidates]]
        at = sum(fits[:primary])
        kept[at:at] = [one for one in spare if _fits(one.target, facts)]
    if not kept:
        return list(candidates), []
    reason = f"the prompt of about {facts.tokens} tokens does not fit its context of"
    return kept, [
        Loser(one.target.provider, one.target.model, f"{reason} {one.target.info.context}")
        for one, fit in zip(candidates, fits, strict=True)
        if not fit
    ]


def _fits(target: Target, facts: Facts) -> bool:
    return not target.info.context or facts.tokens <= target.info.context
