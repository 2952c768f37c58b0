"""Which targets a model name leads to."""

from collections.abc import Sequence

from schemas.model import ModelInfo, Target


class Route:
    """A provider instance as routing sees it: its name, its kind, and the models it is limited to (none: all)."""

    __slots__ = ("kind", "models", "provider")

    def __init__(self, provider: str, kind: str, models: Sequence[str] = ()) -> None:
        self.provider = provider
        self.kind = kind
        self.models = frozenset(name.lower() for name in models)

    def target(self, info: ModelInfo) -> Target | None:
        """The target for a model, or None when this provider does not serve it."""
        # By its own name first, so that two instances of one kind may serve different models.
        upstream = info.upstream.get(self.provider) or info.upstream.get(self.kind)
        if upstream is None or (self.models and not self.models & {info.id.lower(), upstream.lower()}):
            return None
        return Target(self.provider, upstream, info)


def candidates(info: ModelInfo, routes: Sequence[Route]) -> tuple[Target, ...]:
    """Every target for a model, in the order of the routes."""
    return tuple(target for route in routes if (target := route.target(info)) is not None)
