"""Finds names of models, and of providers of theirs, in the configuration that lead nowhere."""

from collections.abc import Iterator

from config.settings import Settings
from core.catalogue import Catalogue
from core.routing import SEPARATOR


def dead_names(settings: Settings, catalogue: Catalogue) -> list[str]:
    """One sentence for each name that no model has, of those that another setting leads to, or no provider."""
    known = {name.lower() for provider in settings.providers.values() for name in provider.models}
    instances = {name.lower() for name in settings.providers}

    def is_known(name: str) -> bool:
        instance, separator, _ = name.partition(SEPARATOR)
        by_instance = bool(separator) and instance.lower() in instances
        return by_instance or name.lower() in known or catalogue.find(name) is not None

    dead = [f"{path}: no model is called {name!r}" for path, name in _led_to(settings) if not is_known(name)]
    return [*dead, *_dead_prices(settings)]


def _dead_prices(settings: Settings) -> Iterator[str]:
    known = {*settings.providers, *(provider.kind for provider in settings.providers.values())}
    for name, entry in settings.models.items():
        for index, price in enumerate(entry.prices or ()):
            if price.provider is not None and price.provider not in known:
                path = f"models.{name}.prices[{index}].provider"
                yield f"{path}: there is no provider {price.provider!r}, and none of that kind"


def _led_to(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "default_model", settings.default_model
    landing = settings.cost_budget.soft_landing.models
    yield from ((f"cost_budget.soft_landing.models.{pattern}", model) for pattern, model in landing.items())
    yield from ((f"model_map.{pattern}", model) for pattern, model in settings.model_map.items())
