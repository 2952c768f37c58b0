"""The providers, by kind."""

from collections.abc import Callable, Mapping

from config.settings import ProviderSettings
from core.clock import Clock
from core.providers.anthropic_compatible import AnthropicCompatible
from core.providers.base import Provider
from core.providers.claude import Claude
from core.providers.deepseek import DeepSeek
from core.providers.gemini import Gemini
from core.providers.glm import GLM
from core.providers.glm_anthropic import GLMAnthropic
from core.providers.glm_web import GLMWeb
from core.providers.grok import Grok
from core.providers.groq import Groq
from core.providers.ohmygpt_anthropic import OhMyGPTAnthropic
from core.providers.ollama import Ollama
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_platform import OpenAI
from core.providers.openrouter import OpenRouter

Factory = Callable[[str, ProviderSettings, Clock], Provider]
Plain = Callable[[str, str, Clock, Mapping[str, str]], Provider]


def _plain(kind: Plain) -> Factory:
    return lambda name, settings, clock: kind(name, settings.base_url, clock, _headers(settings))


def _anthropic(kind: type[AnthropicCompatible]) -> Factory:
    def make(name: str, settings: ProviderSettings, clock: Clock) -> Provider:
        betas = None if settings.betas is None else frozenset(settings.betas)
        return kind(name, settings.base_url, clock, _headers(settings), betas)

    return make


def _glm(name: str, settings: ProviderSettings, clock: Clock) -> Provider:
    signed = settings.auth == "jwt"
    return GLM(name, settings.base_url, clock, "jwt" if signed else "bearer", _headers(settings))


def _headers(settings: ProviderSettings) -> Mapping[str, str]:
    return {name: value.get_secret_value() for name, value in settings.headers.items()}


PROVIDERS: Mapping[str, Factory] = {
    "glm": _glm,
    "glm-web": _plain(GLMWeb),
    "glm-anthropic": _anthropic(GLMAnthropic),
    "anthropic": _anthropic(Claude),
    "anthropic-compatible": _anthropic(AnthropicCompatible),
    "openai": _plain(OpenAI),
    "openai-compatible": _plain(OpenAICompatible),
    "groq": _plain(Groq),
    "grok": _plain(Grok),
    "gemini": _plain(Gemini),
    "ollama": _plain(Ollama),
    "deepseek": _plain(DeepSeek),
    "openrouter": _plain(OpenRouter),
    "ohmygpt": _plain(OpenAICompatible),
    "ohmygpt-anthropic": _anthropic(OhMyGPTAnthropic),
}
"""How an instance of each kind is made from its name and its settings; a vendor that differs by data only is a row."""
