"""Finds the models that a request names beside the one it is for."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import InvalidRequest
from core.pricing import ORDINARY

FIELDS = ("models", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "deployment_id")
"""OpenRouter's, and LiteLLM's: a provider goes on to one of these when the model that was asked for fails, or asks it
in its place."""
TABLES = ("context_window_fallback_dict", "model_group_alias")
"""LiteLLM's too: each has other models by the names of those that they stand for."""
LISTED = "model_list"
"""Where LiteLLM is told what stands behind a name."""
ROUTERS = ("user_config", "router_settings_override")
"""Settings of LiteLLM for one request, which may have all of these."""
PRESET = "@preset/"
"""What OpenRouter writes ahead of the name of kept settings, which may have a model of their own."""
ROUTER = "openrouter"
"""Stands ahead of the names of its tools and of the models that are tools of its own."""
TOOL = f"{ROUTER}:"
ASKS_NO_MODEL = frozenset(
    {
        "web",
        "web_search",
        "web_fetch",
        "datetime",
        "file-parser",
        "response-healing",
        "auto-router",
        "moderation",
        "context-compression",
    }
)
"""The plugins and tools there that send a prompt to no further model; of any other one nobody knows."""
DECISIVE = frozenset(
    {
        *FIELDS,
        *TABLES,
        LISTED,
        *ROUTERS,
        *ORDINARY,
        "model",
        "messages",
        "input",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "best_of",
        "num_return_sequences",
        "preset",
        "plugins",
        "tools",
    }
)
"""What decides who may ask a request, and what it costs."""
INNER = "extra_body"
"""What LiteLLM lays over the request that it sends on."""
DEEPEST = 8
MOST = 32


def named_models(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Their names, each once.

    Raises InvalidRequest for more than 32, and for fields such as `Model`, which servers in Go take for `model`.
    """
    _check_fields(body)
    names = tuple(dict.fromkeys((*_instead(body), *_beside(body))))
    if len(names) > MOST:
        raise InvalidRequest(f"models: must name at most {MOST} models.", param="models", code="invalid_value")
    return names


def _check_fields(body: Mapping[str, Any]) -> None:
    for field in body:
        # Nearly every field is plain, and this is asked a few times of every request.
        if field.isascii() and field.islower():
            continue
        if (meant := field.casefold()) in DECISIVE:
            raise InvalidRequest(f"{field[:80]}: is spelled {meant}.", param=field[:80], code="invalid_value")
    inner = body.get(INNER)
    for field in inner if isinstance(inner, Mapping) else ():
        if field.casefold() in DECISIVE or field == INNER:
            said = f"{INNER}: {field[:80]} stands beside the other fields, not in here."
            raise InvalidRequest(said, param=INNER, code="invalid_value")


def asks_several(body: Mapping[str, Any]) -> bool:
    """True when the answer may be the work of several models, so that the one it names is not all that is paid."""
    return any(_beside(body))


def _instead(body: Mapping[str, Any]) -> Iterator[str]:
    """Those of which one answers in the place of the model that was asked for."""
    yield from _routed(body)
    for field in ROUTERS:
        if isinstance(settings := body.get(field), Mapping):
            yield from _routed(settings)
    preset, model = body.get("preset"), body.get("model")
    if isinstance(preset, str) and preset.strip():
        yield f"{PRESET}{preset.strip().removeprefix(PRESET)}"
    if isinstance(model, str) and PRESET in model:
        yield f"{PRESET}{model.partition(PRESET)[2].strip()}"


def _routed(said: Mapping[str, Any]) -> Iterator[str]:
    for field in FIELDS:
        if field in said:
            yield from _names(said[field])
    for field in TABLES:
        if field in said:
            table = said[field]
            yield from _names(list(table.values()) if isinstance(table, Mapping) else table)
    yield from _inside(said.get(LISTED))


def _beside(body: Mapping[str, Any]) -> Iterator[str]:
    """Those that help with the answer: OpenRouter's plugins and tools ask them."""
    for plugin in _entries(body.get("plugins")):
        yield from _of_helper(plugin.get("id"), plugin)
    for tool in _entries(body.get("tools")):
        kind = tool.get("type")
        if isinstance(kind, str) and kind.startswith(TOOL):
            yield from _of_helper(kind.removeprefix(TOOL), tool)


def _of_helper(name: Any, said: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(name, str) and name not in ASKS_NO_MODEL:
        yield f"{ROUTER}/{name}"
    yield from _inside(said)


def _inside(value: Any, depth: int = 0) -> Iterator[str]:
    """What stands anywhere in there under a word such as `model` or `analysis_models`."""
    if isinstance(value, Mapping) and depth < DEEPEST:
        for name, entry in value.items():
            yield from _names(entry) if name.endswith(("model", "models")) else _inside(entry, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            yield from _inside(entry, depth + 1)


def _entries(value: Any) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else iter(())


def _names(value: Any) -> Iterator[str]:
    """Of a name itself, of a list of names or of requests for them, and of lists by the name of what they stand for."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        parts = [value["model"]] if "model" in value else [one for one in value.values() if isinstance(one, list)]
        yield from (name for part in parts for name in _names(part))
    elif isinstance(value, list):
        yield from (name for one in value if not isinstance(one, list) for name in _names(one))
