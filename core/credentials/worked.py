"""For which models a credential has worked lately."""

from collections.abc import Mapping

LATELY = 3600.0
"""For how long that a model was answered tells something of the next request."""

MAX_MODELS = 200

Worked = Mapping[str, float]
"""When each model was answered last, in seconds since the epoch."""


def latest(one: Worked, other: Worked, now: float) -> dict[str, float]:
    """Of both the later time of each model, as far as that is lately; of too many models the latest."""
    both = {model: max(one.get(model, 0.0), other.get(model, 0.0)) for model in {**one, **other}}
    kept = sorted((at, model) for model, at in both.items() if model and at > now - LATELY)
    return {model: at for at, model in kept[-MAX_MODELS:]}


def fails_alone(model: str, worked: Worked, now: float) -> bool:
    """True for a model that was not answered lately, while another was."""
    lately = {name for name, at in worked.items() if at > now - LATELY}
    return bool(model) and bool(lately) and model not in lately
