"""Which targets a model name leads to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from schemas.model import COMMON_EFFORTS, Ability, ModelInfo, Target, ThinkingControl

SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Route:
    """A provider instance as routing sees it.

    `listed` are the models that its configuration names, by their names in lower case: with any, it serves no others.
    `families` are the beginnings of the names of models that nobody but this kind makes, and which it serves even when
    the catalogue does not know them. `abilities` and `thinking` are those of an unknown model.
    """

    provider: str
    kind: str
    listed: Mapping[str, str] = field(default_factory=dict)
    families: tuple[str, ...] = ()
    abilities: frozenset[Ability] = frozenset({"streaming"})
    thinking: ThinkingControl = "none"

    def target(self, info: ModelInfo) -> Target | None:
        """The target for a known model, or None when this provider does not serve it."""
        # By its own name first, so that two instances of one kind may serve different models.
        upstream = info.upstream.get(self.provider) or info.upstream.get(self.kind)
        if self.listed:
            named = self._named(info, upstream)
            return Target(self.provider, upstream or named, self.priced(info)) if named else None
        return Target(self.provider, upstream, self.priced(info)) if upstream else None

    def priced(self, info: ModelInfo) -> ModelInfo:
        """The model with the prices that it has here: of the instance, else of its kind, else of all."""
        return info.priced_at(self.provider, self.kind)

    def own(self, model: str) -> Target | None:
        """The target for a model that is not known: None unless it is listed here."""
        name = self.listed.get(model.lower())
        return self.unknown(name) if name is not None else None

    def kin(self, model: str) -> Target | None:
        """The target for a model that is not known and bears the name of a family that only this kind makes."""
        is_kin = is_plain(model) and model.isascii() and model.lower().startswith(self.families)
        return self.unknown(model) if is_kin and not self.listed else None

    def may_have(self, info: ModelInfo) -> bool:
        """True for a model that a provider of this kind has, whether it is listed here or not."""
        upstream = info.upstream.get(self.provider) or info.upstream.get(self.kind)
        return bool(upstream or self.target(info))

    def issue(self, target: Target, base: ModelInfo) -> Target:
        """The target for an unknown model that is an issue of `base`; the same when this provider has no such thing."""
        if not self.may_have(base) and target.model.lower() not in self.listed:
            return target
        names = (base.id, *base.aliases)
        upstream = {self.provider: target.model}
        info = replace(self.priced(base), id=target.info.id, aliases=names, upstream=upstream, issue_of=base.id)
        return replace(target, info=info)

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
            efforts=COMMON_EFFORTS,
        )
        return Target(self.provider, model, info)

    def _named(self, info: ModelInfo, upstream: str | None) -> str | None:
        names = (info.id, *info.aliases, upstream or info.id)
        return next((self.listed[name.lower()] for name in names if name.lower() in self.listed), None)


def is_plain(name: str) -> bool:
    """True for what a provider can call a model: one that is not known is sent to it as it is written."""
    return bool(name) and name.isprintable() and " " not in name


def candidates(info: ModelInfo, routes: Sequence[Route]) -> tuple[Target, ...]:
    """Every target for a model, in the order of the routes."""
    return tuple(target for route in routes if (target := route.target(info)) is not None)


def listed(models: Iterable[str]) -> Mapping[str, str]:
    """The names as they are looked up, with how they are written."""
    return {name.lower(): name for name in models}


def mapped(name: str, patterns: Mapping[str, str]) -> str | None:
    """The model that the first fitting pattern says for `name`, in any case; None when none fits."""
    lowered = name.lower()
    return next((model for pattern, model in patterns.items() if fnmatchcase(lowered, pattern.lower())), None)
