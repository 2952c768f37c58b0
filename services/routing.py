"""RoutingService: turns the model name a client wrote into the targets to try, in order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from config.settings import RouteSettings
from core.catalogue import Catalogue
from core.errors import ModelNotFound
from core.planning import Served, first_match, planned
from core.pricing import dearest
from core.route_rules import Facts
from core.routing import SEPARATOR, Route, candidates, is_plain, mapped
from schemas.caller import Caller
from schemas.chat import ChatRequest
from schemas.model import ModelInfo, Price, Target
from schemas.route import Candidate, Loser, Plan


class RoutingService:
    """Routes over the provider instances that have a credential; `usable` says which do at this moment.

    A name is looked up as a model's id or alias, then as a model that an instance lists, as `instance/model`, as one of
    a family that a kind makes, and at last in `model_map`, whose patterns say who stands in for models that nobody here
    serves. `rules` say where chats go instead; one that names an instance goes there whatever they say.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        routes: Sequence[Route],
        usable: Callable[[str], bool],
        model_map: Mapping[str, str] | None = None,
        rules: Sequence[RouteSettings] = (),
    ) -> None:
        self._catalogue = catalogue
        self._routes = tuple(routes)
        self._usable = usable
        self._model_map = dict(model_map or {})
        self._rules = tuple(rules)

    def plan(self, request: ChatRequest, caller: Caller | None = None) -> Plan:
        """Where a chat may go, and why nowhere else. Raises ModelNotFound, which lists near names."""
        if not self._rules or self._names_instance(request.model):
            return self._unruled(request.model)
        info = self._catalogue.find(request.model)
        facts = Facts(request, caller, (request.model, info.id) if info is not None else (request.model,))
        rule, verdicts = first_match(self._rules, facts)
        if rule is None:
            return replace(self._unruled(request.model), verdicts=tuple(verdicts), prompt_tokens=facts.estimate)
        if not rule.targets and not self._is_known(request.model):
            raise self._unknown(request.model)
        plan = planned(rule, verdicts, facts, request.session or "", self._lookup)
        if not plan.candidates:
            raise self._unknown(request.model, rule.name)
        return plan

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
        listed = (self._known(route, route.unknown(name)).info for route in routes for name in route.listed.values())
        own = {info.id: info for info in listed if self._catalogue.find(info.id) is None}
        return [*known, *own.values()]

    def info(self, model: str) -> ModelInfo:
        """What is known of a routable model. Raises ModelNotFound."""
        target = self.targets(model)[0]
        return self._catalogue.find(model) or target.info

    def providers(self, model: str) -> list[str]:
        """The provider instances that answer for a model now."""
        return list(dict.fromkeys(target.provider for target in self.targets(model)))

    def served(self, model: str) -> tuple[Target, ...]:
        """The targets that have a model now under one of its own names; none when nobody has it."""
        return self._served(model)

    def is_served(self, model: str) -> bool:
        """True when anybody answers for a model now, be it a stand-in."""
        return bool(self._served(model) or self._stand_in(model))

    def canonical(self, model: str) -> str:
        """The id of a model that the catalogue knows by that name, else the name in lower case."""
        info = self._catalogue.find(model)
        return info.id if info is not None else model.lower()

    def named(self, provider: str, name: str) -> Target:
        """What a provider takes the name of a model for, as far as that is known."""
        route = next((route for route in self._routes if route.provider == provider), None) or Route(provider, "")
        info = self._catalogue.find(name)
        target = route.target(info) if info is not None else None
        return target or self._known(route, route.own(name) or route.unknown(name))

    def dearest(self, provider: str, day: date) -> Price | None:
        """A price that none of the provider's models passes on that day, as far as they are known.

        Of a provider of which no price is known it is one that no model passes at all.
        """
        route = next((route for route in self._routes if route.provider == provider), None)
        own = [route.priced(info) for info in self._catalogue.models if route is not None and route.may_have(info)]
        return dearest(own, day) or dearest(self._everywhere(), day)

    def _everywhere(self) -> Iterator[ModelInfo]:
        """Every model with what it costs at each provider."""
        yield from self._catalogue.models
        yield from (route.priced(info) for route in self._routes for info in self._catalogue.models)

    def names(self, model: str) -> tuple[str, ...]:
        """All that a model is called that a client wrote so: as it wrote it, its id, and without its instance."""
        alone = model.partition(SEPARATOR)[2] if self._names_instance(model) else model
        return tuple(dict.fromkeys((model, alone, self.canonical(alone))))

    def names_instance(self, model: str) -> bool:
        """True for `instance/model`, which goes where it says."""
        return self._names_instance(model)

    def _served(self, model: str) -> tuple[Target, ...]:
        routes = self._open_routes()
        info = self._catalogue.find(model)
        if info is not None and (found := candidates(info, routes)):
            return found
        if info is not None:
            return self._by_instance(model, routes)
        own = tuple(self._known(route, target) for route in routes if (target := route.own(model)) is not None)
        kin = tuple(self._known(route, target) for route in routes if (target := route.kin(model)) is not None)
        return own or self._by_instance(model, routes) or kin

    def _by_instance(self, model: str, routes: Sequence[Route]) -> tuple[Target, ...]:
        instance, _, name = model.partition(SEPARATOR)
        route = next((route for route in routes if route.provider.lower() == instance.lower()), None)
        if route is None or not (is_plain(name) or route.own(name)):
            return ()
        return (self.named(route.provider, name),)

    def _known(self, route: Route, target: Target) -> Target:
        """The target with what is known of the model that it is an issue of."""
        base = self._catalogue.base_of(target.model)
        return target if base is None else route.issue(target, base)

    def _stand_in(self, model: str) -> tuple[Target, ...]:
        name = mapped(model, self._model_map)
        return self._served(name) if name is not None else ()

    def _open_routes(self) -> list[Route]:
        return [route for route in self._routes if self._usable(route.provider)]

    def _unruled(self, model: str) -> Plan:
        targets = self.targets(model)
        why = "the instance was named" if self._names_instance(model) else "serves the model"
        return Plan(tuple(Candidate(target, why) for target in targets), losers=self._losers(model))

    def _lookup(self, model: str) -> Served:
        return Served(self._served(model) or self._stand_in(model), self._losers(model))

    def _losers(self, model: str) -> tuple[Loser, ...]:
        """Who would serve the model if it had a credential."""
        info = self._catalogue.find(model)
        closed = (route for route in self._routes if not self._usable(route.provider))
        targets = (route.target(info) if info else route.own(model) or route.kin(model) for route in closed)
        return tuple(Loser(one.provider, one.model, "it has no credential") for one in targets if one is not None)

    def _names_instance(self, model: str) -> bool:
        """True for `instance/model`, unless that is what a model is called."""
        instance, separator, _ = model.partition(SEPARATOR)
        if not separator or instance.lower() not in {route.provider for route in self._routes}:
            return False
        return self._catalogue.find(model) is None and not any(route.own(model) for route in self._routes)

    def _is_known(self, model: str) -> bool:
        return bool(self._lookup(model).targets) or self._catalogue.find(model) is not None

    def _unknown(self, model: str, rule: str | None = None) -> ModelNotFound:
        shown = model[:100]
        if rule is not None:
            return ModelNotFound(f"The route {rule!r} leads to no model that is served now.", param="model")
        routable = {name for info in self.routable() for name in (info.id, *info.aliases)}
        near = [name for name in self._catalogue.near(shown, 20) if name in routable][:5]
        hint = f" Did you mean {', '.join(near)}?" if near else " GET /v1/models lists what there is."
        details = {"near": near} if near else None
        return ModelNotFound(f"The model {shown!r} is not served here.{hint}", param="model", details=details)
