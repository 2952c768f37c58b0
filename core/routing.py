"""Which targets a model name leads to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from schemas.model import Ability, ModelInfo, Target, ThinkingControl

SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Route:
    """A provider instance as routing sees it.

    `limited_to` are the names, in lower case, of the models it serves among those that are known (none: all of its
    kind); `own` the names of those that nobody else knows. `abilities` and `thinking` are those of an unknown model.
    """

    provider: str
    kind: str
    limited_to: frozenset[str] = frozenset()
    own: tuple[str, ...] = ()
    abilities: frozenset[Ability] = frozenset({"streaming"})
    thinking: ThinkingControl = "none"

    def target(self, info: ModelInfo) -> Target | None:
        """The target for a known model, or None when this provider does not serve it."""
        # By its own name first, so that two instances of one kind may serve different models.
        upstream = info.upstream.get(self.provider) or info.upstream.get(self.kind)
        if upstream is None or (self.limited_to and not self.limited_to & {info.id.lower(), upstream.lower()}):
            return None
        return Target(self.provider, upstream, info)

    def unknown(self, model: str) -> Target:
        """The target for a model of that name of which nothing is known but that this provider has it."""
        info = ModelInfo(
            id=model,
            owner=self.provider,
            context=0,
            max_output=0,
            upstream={self.provider: model},
            abilities=self.abilities,
            thinking=self.thinking,
        )
        return Target(self.provider, model, info)

    def own_models(self) -> list[ModelInfo]:
        """The models that only this instance is known to have."""
        return [self.unknown(name).info for name in self.own]


def route(
    provider: str,
    kind: str,
    models: Sequence[str],
    known: Iterable[str],
    abilities: frozenset[Ability],
    thinking: ThinkingControl,
) -> Route:
    """The route of an instance whose configuration names `models`: those that are `known` (lower case) limit it."""
    names = frozenset(known)
    limiting = frozenset(name.lower() for name in models if name.lower() in names)
    own = tuple(name for name in models if name.lower() not in names)
    # An instance that names only models of its own serves none of the others.
    return Route(provider, kind, limiting or frozenset(map(str.lower, own)), own, abilities, thinking)


def candidates(info: ModelInfo, routes: Sequence[Route]) -> tuple[Target, ...]:
    """Every target for a model, in the order of the routes."""
    return tuple(target for route in routes if (target := route.target(info)) is not None)


def mapped(name: str, patterns: Mapping[str, str]) -> str | None:
    """The model that the first fitting pattern says for `name`, in any case; None when none fits."""
    lowered = name.lower()
    return next((model for pattern, model in patterns.items() if fnmatchcase(lowered, pattern.lower())), None)
