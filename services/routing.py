"""RoutingService: turns the model name a client wrote into the targets to try, in order."""

from collections.abc import Callable, Mapping, Sequence

from core.catalogue import Catalogue
from core.errors import ModelNotFound
from core.routing import SEPARATOR, Route, candidates, mapped
from schemas.model import ModelInfo, Target


class RoutingService:
    """Routes over the provider instances that have a credential; `usable` says which do at this moment.

    A name is looked up as a model's id or alias, then as a model that an instance lists, as `instance/model`, as one of
    a family that a kind makes, and at last in `model_map`, whose patterns say who stands in for models that nobody here
    serves.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        routes: Sequence[Route],
        usable: Callable[[str], bool],
        model_map: Mapping[str, str] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._routes = tuple(routes)
        self._usable = usable
        self._model_map = dict(model_map or {})

    def targets(self, model: str) -> tuple[Target, ...]:
        """Where a request for `model` may go, best first. Raises ModelNotFound, which lists near names."""
        targets = self._served(model) or self._stand_in(model)
        if not targets:
            raise self._unknown(model)
        return targets

    def routable(self) -> list[ModelInfo]:
        """Every model that has a target now: those of the catalogue in its order, then the instances' own."""
        routes = self._open_routes()
        known = [info for info in self._catalogue.models if candidates(info, routes) or self._stand_in(info.id)]
        listed = (route.unknown(name).info for route in routes for name in route.listed.values())
        own = {info.id: info for info in listed if self._catalogue.find(info.id) is None}
        return [*known, *own.values()]

    def info(self, model: str) -> ModelInfo:
        """What is known of a routable model. Raises ModelNotFound."""
        target = self.targets(model)[0]
        return self._catalogue.find(model) or target.info

    def providers(self, model: str) -> list[str]:
        """The provider instances that answer for a model now."""
        return list(dict.fromkeys(target.provider for target in self.targets(model)))

    def _served(self, model: str) -> tuple[Target, ...]:
        routes = self._open_routes()
        info = self._catalogue.find(model)
        if info is not None and (found := candidates(info, routes)):
            return found
        if info is not None:
            return self._by_instance(model, routes)
        own = tuple(target for route in routes if (target := route.own(model)) is not None)
        kin = tuple(target for route in routes if (target := route.kin(model)) is not None)
        return own or self._by_instance(model, routes) or kin

    def _by_instance(self, model: str, routes: Sequence[Route]) -> tuple[Target, ...]:
        instance, _, name = model.partition(SEPARATOR)
        route = next((route for route in routes if route.provider.lower() == instance.lower()), None)
        if route is None or not name or not name.isprintable():
            return ()
        info = self._catalogue.find(name)
        target = route.target(info) if info is not None else None
        return (target or route.unknown(name),)

    def _stand_in(self, model: str) -> tuple[Target, ...]:
        name = mapped(model, self._model_map)
        return self._served(name) if name is not None else ()

    def _open_routes(self) -> list[Route]:
        return [route for route in self._routes if self._usable(route.provider)]

    def _unknown(self, model: str) -> ModelNotFound:
        shown = model[:100]
        routable = {name for info in self.routable() for name in (info.id, *info.aliases)}
        near = [name for name in self._catalogue.near(shown, 20) if name in routable][:5]
        hint = f" Did you mean {', '.join(near)}?" if near else " GET /v1/models lists what there is."
        details = {"near": near} if near else None
        return ModelNotFound(f"The model {shown!r} is not served here.{hint}", param="model", details=details)
