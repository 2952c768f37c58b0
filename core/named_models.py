"""Finds the models that a request names beside the one it is for."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import InvalidRequest

FIELDS = ("models", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
"""OpenRouter's, and LiteLLM's: a provider goes on to one of these when the model that was asked for fails."""
MOST = 32


def named_models(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Their names, each once. Raises InvalidRequest for more than 32."""
    names = tuple(dict.fromkeys(name for field in FIELDS for name in _names(body.get(field))))
    if len(names) > MOST:
        raise InvalidRequest(f"models: must name at most {MOST} models.", param="models", code="invalid_value")
    return names


def _names(value: Any) -> Iterator[str]:
    """Of a name itself, of a list of names or of requests for them, and of lists by the name of what they stand for."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        parts = [value["model"]] if "model" in value else [one for one in value.values() if isinstance(one, list)]
        yield from (name for part in parts for name in _names(part))
    elif isinstance(value, list):
        yield from (name for one in value if not isinstance(one, list) for name in _names(one))
