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
"""What is a loss. The gateway chose another key, provider or model, or changed the prompt; the client changed it, or
one of them a parameter; `evicted`: nothing has changed and it was in time; `ignored`: the provider neither read nor
wrote what was marked."""

Cause = NoLoss | LossCause

MARK = "cache_control"


@dataclass(frozen=True, slots=True)
class Blame:
    """The cause of a loss, with the first block that differs, or the parameter."""

    cause: LossCause
    block: str | None = None
    parameter: str | None = None


def cause_of(match: Match, prompt: Prompt, rules: Rules) -> Blame:
    """Why what the donor left was not read in full: the first of the causes, in their order, that holds."""
    for check in _CHECKS:
        blame = check(match, prompt, rules)
        if blame is not None:
            return blame
    return Blame("evicted")


def is_unmarked(match: Match | None, prompt: Prompt, rules: Rules) -> bool:
    """True when the client asks for no caching where it has to, so that it could not expect any."""
    if not rules.marked_only or prompt.chain.marks:
        return False
    return match is None or not (is_stripped(match, prompt, rules) or _is_moved(match, prompt))


def is_stripped(match: Match, prompt: Prompt, rules: Rules) -> bool:
    """True when the gateway sent no marks though the client had set some, or though it had set some itself before."""
    if not rules.marked_only or prompt.chain.marks:
        return False
    donor = match.donor
    return bool(prompt.client.marks) or (donor.is_marked and not donor.client_marked)


def first_difference(match: Match, prompt: Prompt) -> str | None:
    """The label of the first block that differs from what the donor left; None when none does.

    In the middle of a long prompt it may be one a little further on.
    """
    differs = match.shared < match.donor.marks[-1].length
    return prompt.chain.label(match.shared) if differs else None


def changed_parameter(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first parameter that differs; the model has a cause of its own."""
    names = [name for name in {**now, **before} if name != "model"]
    return next((name for name in names if before.get(name) != now.get(name)), None)


def _is_moved(match: Match, prompt: Prompt) -> bool:
    return match.donor.family != prompt.identity.family


def _rotated(match: Match, prompt: Prompt, rules: Rules) -> Blame | None:
    moved = _is_moved(match, prompt)
    return Blame("rotated") if not moved and match.donor.account != prompt.identity.account else None


def _provider_switched(match: Match, prompt: Prompt, rules: Rules) -> Blame | None:
    return Blame("provider_switched") if _is_moved(match, prompt) else None


def _model_switched(match: Match, prompt: Prompt, rules: Rules) -> Blame | None:
    return Blame("model_switched") if match.donor.model != prompt.identity.upstream_model else None


def _mutated_by_gateway(match: Match, prompt: Prompt, rules: Rules) -> Blame | None:
    if is_stripped(match, prompt, rules):
        return Blame("mutated_by_gateway", parameter=MARK)
    block = first_difference(match, prompt)
    return Blame("mutated_by_gateway", block) if match.is_kept and block is not None else None


def _mutated_by_client(match: Match, prompt: Prompt, rules: Rules) -> Blame | None:
    differs = match.shared < match.donor.marks[-1].length
    return Blame("mutated_by_client", first_difference(match, prompt)) if differs else None


def _param_changed(match: Match, prompt: Prompt, rules: Rules) -> Blame | None:
    name = changed_parameter(match.donor.parameters, prompt.chain.parameters)
    return None if name is None else Blame("param_changed", parameter=name)


_CHECKS: tuple[Callable[[Match, Prompt, Rules], Blame | None], ...] = (
    _rotated,
    _provider_switched,
    _model_switched,
    _mutated_by_gateway,
    _mutated_by_client,
    _param_changed,
)
