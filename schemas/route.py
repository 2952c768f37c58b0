"""Where a request may go and why: the plan that routing makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.model import Target


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target that may be tried, and why it is one."""

    target: Target
    why: str


@dataclass(frozen=True, slots=True)
class Loser:
    """What is not tried, and why; `provider` is None for a model that nobody serves."""

    provider: str | None
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of a request: why it does not match, or None when it does."""

    rule: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The candidates in the order in which they are tried, and what became of everything else.

    `longer` are tried instead of the rest when a provider says that the prompt is too long for it. `rule` is the name
    of the rule that decided, None when none did; `verdicts` are those of the rules that were looked at. `prompt_tokens`
    is the estimate, None where nobody had to ask. `strict`: what cannot be carried whole is refused. `stand_in` is the
    model that answers in the place of the one that was asked for, as that one has lost its cache, and `standing_in` the
    first of the candidates, which have it.
    """

    candidates: Sequence[Candidate]
    longer: Sequence[Candidate] = ()
    losers: Sequence[Loser] = ()
    rule: str | None = None
    verdicts: Sequence[Verdict] = ()
    prompt_tokens: int | None = None
    strict: bool = False
    stand_in: str | None = None
    standing_in: Sequence[Target] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of the candidates."""
        return tuple(candidate.target for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A target whose turn came and that was not asked, and why."""

    provider: str
    model: str
    reason: str
