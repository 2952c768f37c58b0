"""The kinds of provider there are: where each is found, and which variables set it up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "glm",
    "glm-web",
    "glm-anthropic",
    "anthropic",
    "openai",
    "groq",
    "grok",
    "gemini",
    "ohmygpt",
    "ohmygpt-anthropic",
    "deepseek",
    "openrouter",
    "ollama",
    "openai-compatible",
    "anthropic-compatible",
]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One kind of provider.

    `base_url` None means that each instance must say its own. The variables are those of the instance that is called
    like the kind; that one exists without being configured when the kind is `standing`, else as soon as anything is
    said of it. `keyless` ones are asked without a key when they have none. `timeout` is the usual one in seconds:
    models that think for minutes before their first word are not rare.
    """

    kind: Kind
    base_url: str | None
    key_variable: str | None = None
    address_variable: str | None = None
    standing: bool = False
    keyless: bool = False
    timeout: float = 300


def _standing(kind: Kind, base_url: str, name: str) -> Vendor:
    return Vendor(kind, base_url, f"{name}_API_KEY", f"{name}_BASE_URL", standing=True)


_TABLE = (
    Vendor(
        "glm",
        "https://api.z.ai/api/paas/v4/chat/completions",
        "GLM_API_KEY",
        "GLM_ENDPOINT",
        standing=True,
        timeout=120,
    ),
    Vendor("glm-web", "https://chat.z.ai/api/chat/completions", None, "GLM_WEB_ENDPOINT", standing=True, timeout=120),
    Vendor("glm-anthropic", "https://api.z.ai/api/anthropic", timeout=120),
    _standing("anthropic", "https://api.anthropic.com", "ANTHROPIC"),
    _standing("openai", "https://api.openai.com/v1", "OPENAI"),
    _standing("groq", "https://api.groq.com/openai/v1", "GROQ"),
    _standing("grok", "https://api.x.ai/v1", "GROK"),
    _standing("gemini", "https://generativelanguage.googleapis.com/v1beta", "GEMINI"),
    _standing("ohmygpt", "https://api.ohmygpt.com/v1", "OHMYGPT"),
    Vendor("ohmygpt-anthropic", "https://api.ohmygpt.com"),
    _standing("deepseek", "https://api.deepseek.com", "DEEPSEEK"),
    _standing("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER"),
    Vendor("ollama", "http://localhost:11434", None, "OLLAMA_BASE_URL", keyless=True),
    Vendor("openai-compatible", None),
    Vendor("anthropic-compatible", None),
)

VENDORS: Mapping[str, Vendor] = {vendor.kind: vendor for vendor in _TABLE}
"""Every kind by its name, in the order in which the standing instances are tried."""
