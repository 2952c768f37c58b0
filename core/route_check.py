"""Finds rules in the configuration that lead to models that nobody has."""

from collections.abc import Callable, Iterator, Sequence

from config.settings import ProviderSettings, RouteSettings, Settings
from core.catalogue import Catalogue
from core.clock import SystemClock
from core.providers import PROVIDERS
from core.routing import SEPARATOR, Route, candidates, listed, mapped

Location = Sequence[str | int]


def dead_targets(settings: Settings, catalogue: Catalogue, where: Callable[[Location], str]) -> list[str]:
    """One sentence for each model of a rule that no enabled provider has, be it with a credential or without."""
    if not settings.routes:
        return []
    routes = [_route(name, one) for name, one in settings.providers.items() if one.enabled]

    def is_had(model: str) -> bool:
        info = catalogue.find(model)
        instance = model.partition(SEPARATOR)[0].lower() if SEPARATOR in model else None
        return bool(
            (info is not None and candidates(info, routes))
            or any(route.provider.lower() == instance for route in routes)
            or (info is None and any(route.own(model) or route.kin(model) for route in routes))
        )

    return [
        f"{where(location)}: no provider that is enabled has the model {model!r}"
        for number, rule in enumerate(settings.routes)
        for location, model in _led_to(number, rule)
        if not is_had(model) and not is_had(mapped(model, settings.model_map) or "")
    ]


def _led_to(number: int, rule: RouteSettings) -> Iterator[tuple[Location, str]]:
    for place, target in enumerate(rule.targets):
        yield ("routes", number, "targets", place, "model"), target.model
    for place, model in enumerate(rule.fallbacks):
        yield ("routes", number, "fallbacks", place), model
    if rule.context_fallback is not None:
        yield ("routes", number, "context_fallback"), rule.context_fallback


def _route(name: str, settings: ProviderSettings) -> Route:
    return Route(
        name, settings.kind, listed(settings.models), PROVIDERS[settings.kind](name, settings, SystemClock()).families
    )
