"""Why a prompt was not read from the cache, and whose doing that was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from core.prompt_cache.names import Match
from core.prompt_cache.prompt import Prompt
from core.prompt_cache.rules import Rules

NoLoss = Literal["hit", "cold", "below_min", "unmarked", "expired", "race", "unreported", "write_waste"]
"""What is no loss. `hit`: as much was read as should be; `cold`: nothing was there to be read; `below_min`: what could
have been read is shorter than what is cached at all; `unmarked`: no mark asks for it; `expired`: it was there too long
ago; `race`: a parallel request had not written it yet; `unreported`: the provider did not say; `write_waste`: written
and never read."""

LossCause = Literal[
    "rotated",
    "provider_switched",
    "model_switched",
    "mutated_by_gateway",
    "mutated_by_client",
    "param_changed",
    "evicted",
    "ignored",
]
"""What is a loss. The gateway chose another key, provider or model, or changed the prompt; the client changed it;
either of them changed a parameter. `evicted`: nothing has changed, and it was in time; `ignored`: what was marked was
neither read nor written."""

Cause = NoLoss | LossCause

MARK = "cache_control"
"""Named as the parameter when it is the marks that have changed."""


@dataclass(frozen=True, slots=True)
class Blame:
    """The cause of a loss, with the label of the first block that differs, or the name of the parameter."""

    cause: LossCause
    block: str | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt beside the earlier request that it should have read from, and the rules of the cache."""

    match: Match
    prompt: Prompt
    rules: Rules

    @property
    def is_moved(self) -> bool:
        """It went to another provider."""
        return self.match.donor.family != self.prompt.identity.family

    @property
    def differs(self) -> bool:
        """What was sent differs from what is cached; anything behind the donor's last mark is not."""
        return self.match.shared < self.match.donor.marks[-1].length

    @property
    def block(self) -> str | None:
        """The label of the first block that differs; None when none does, or when the two cannot be compared."""
        return self.match.block if self.differs and not self.is_moved else None

    @property
    def is_stripped(self) -> bool:
        """The gateway sent no marks though the client had set some, or though it had set some itself before."""
        if not is_without_marks(self.prompt, self.rules):
            return False
        donor = self.match.donor
        return bool(self.prompt.client.marks) or (donor.is_marked and not donor.client_marked)

    @property
    def is_unmarked(self) -> bool:
        """The client has asked for no caching where it has to."""
        return is_without_marks(self.prompt, self.rules) and not (self.is_stripped or self.is_moved)


def is_without_marks(prompt: Prompt, rules: Rules) -> bool:
    """True when nothing of what was sent will be cached, for want of a mark."""
    return rules.marked_only and not prompt.chain.marks


def cause_of(case: Case) -> Blame:
    """Why what the donor left was not read in full: the first of the causes, in their order, that holds."""
    return next((blame for check in _CHECKS if (blame := check(case)) is not None), Blame("evicted"))


def changed_parameter(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first parameter that differs; the model has a cause of its own."""
    names = [name for name in {**now, **before} if name != "model"]
    return next((name for name in names if before.get(name) != now.get(name)), None)


def _rotated(case: Case) -> Blame | None:
    same = case.is_moved or case.match.donor.account == case.prompt.identity.account
    return None if same else Blame("rotated")


def _provider_switched(case: Case) -> Blame | None:
    return Blame("provider_switched") if case.is_moved else None


def _model_switched(case: Case) -> Blame | None:
    switched = case.match.donor.model != case.prompt.identity.upstream_model
    return Blame("model_switched") if switched else None


def _mutated_by_gateway(case: Case) -> Blame | None:
    if case.is_stripped:
        return Blame("mutated_by_gateway", parameter=MARK)
    return Blame("mutated_by_gateway", case.block) if case.differs and case.match.is_kept else None


def _mutated_by_client(case: Case) -> Blame | None:
    return Blame("mutated_by_client", case.block) if case.differs else None


def _param_changed(case: Case) -> Blame | None:
    name = changed_parameter(case.match.donor.parameters, case.prompt.chain.parameters)
    return None if name is None else Blame("param_changed", parameter=name)


_CHECKS: tuple[Callable[[Case], Blame | None], ...] = (
    _rotated,
    _provider_switched,
    _model_switched,
    _mutated_by_gateway,
    _mutated_by_client,
    _param_changed,
)
