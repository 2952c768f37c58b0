"""RoutingService: turns the model name a client wrote into the targets to try, in order."""

from collections.abc import Callable, Sequence

from core.catalogue import Catalogue
from core.errors import ModelNotFound
from core.routing import Route, candidates
from schemas.model import ModelInfo, Target


class RoutingService:
    """Routes over the provider instances that have a credential; `usable` says which do at this moment."""

    def __init__(self, catalogue: Catalogue, routes: Sequence[Route], usable: Callable[[str], bool]) -> None:
        self._catalogue = catalogue
        self._routes = tuple(routes)
        self._usable = usable

    def targets(self, model: str) -> tuple[Target, ...]:
        """Where a request for `model` may go, best first. Raises ModelNotFound, which lists near names."""
        info = self._catalogue.find(model)
        targets = candidates(info, self._open_routes()) if info is not None else ()
        if not targets:
            raise self._unknown(model)
        return targets

    def routable(self) -> list[ModelInfo]:
        """Every model that has a target now, in the catalogue's order."""
        routes = self._open_routes()
        return [info for info in self._catalogue.models if candidates(info, routes)]

    def info(self, model: str) -> ModelInfo:
        """The catalogue's row for a routable model. Raises ModelNotFound."""
        return self.targets(model)[0].info

    def providers(self, info: ModelInfo) -> list[str]:
        """The provider instances that serve a model now."""
        return [target.provider for target in candidates(info, self._open_routes())]

    def _open_routes(self) -> list[Route]:
        return [route for route in self._routes if self._usable(route.provider)]

    def _unknown(self, model: str) -> ModelNotFound:
        shown = model[:100]
        routable = {name for info in self.routable() for name in (info.id, *info.aliases)}
        near = [name for name in self._catalogue.near(shown, 20) if name in routable][:5]
        hint = f" Did you mean {', '.join(near)}?" if near else " GET /v1/models lists what there is."
        details = {"near": near} if near else None
        return ModelNotFound(f"The model {shown!r} is not served here.{hint}", param="model", details=details)
