"""The providers, by kind."""

from collections.abc import Callable, Mapping

from config.settings import ProviderSettings
from core.clock import Clock
from core.providers.base import Provider
from core.providers.glm import GLM
from core.providers.glm_web import GLMWeb

PROVIDERS: Mapping[str, Callable[[str, ProviderSettings, Clock], Provider]] = {
    "glm": lambda name, settings, clock: GLM(name, settings.base_url, clock, settings.auth),
    "glm-web": lambda name, settings, clock: GLMWeb(name, settings.base_url, clock),
}
"""How an instance of each kind is made from its name and its settings."""
