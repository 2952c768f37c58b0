"""Environment variables as settings."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from pydantic_core import from_json

from config.layers import Layer, Origin, SettingPath
from config.vendors import VENDORS

PREFIX = "GATEWAY__"
CALLER_KEYS = "GATEWAY_API_KEYS"
TRACE_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
ROLES = ("admin", "operator", "user")
VARIABLES: Mapping[str, tuple[SettingPath, ...]] = {
    "HOST": (("server", "host"),),
    "PORT": (("server", "port"),),
    "WORKERS": (("server", "workers"),),
    "DATA_DIR": (("server", "data_dir"),),
    "LOG_LEVEL": (("logging", "level"),),
    "LOG_FORMAT": (("logging", "format"),),
    "LOG_FILE": (("logging", "file"),),
    "REDIS_URL": (("store", "redis_url"),),
    "TOKEN_FILE": (("providers", "glm-web", "token_file"),),
    "GLM_TIMEOUT": (("providers", "glm", "timeout"), ("providers", "glm-web", "timeout")),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (("telemetry", "endpoint"),),
    "OTEL_SERVICE_NAME": (("telemetry", "service_name"),),
    "CACHE_FAILOVER_ENABLED": (("failover", "enabled"),),
    "CACHE_FAILOVER_LOSS_THRESHOLD": (("failover", "loss_threshold"),),
    "CACHE_FAILOVER_COOLDOWN_MINUTES": (("failover", "cooldown_minutes"),),
    **{v.key_variable: (("providers", v.kind, "api_keys"),) for v in VENDORS.values() if v.key_variable},
    **{v.address_variable: (("providers", v.kind, "base_url"),) for v in VENDORS.values() if v.address_variable},
}


def environment_layer(variables: Mapping[str, str], suffix: str = "", providers: Iterable[str] = ()) -> Layer:
    """Return the settings that `variables` hold; an empty value counts as unset.

    A name of the table above comes first, `GATEWAY__SECTION__FIELD` is laid over it. Other names are none of ours.
    `suffix` says in messages where the variables were found (" in .env"); `providers` are names of instances,
    which a variable spells in capitals with `_` for `-`, as it does the kinds.
    """
    layer = Layer()
    known = {name.replace("-", "_").lower(): name for name in (*VENDORS, *providers)}
    given = {name: value.strip() for name, value in variables.items() if value.strip()}
    for name, paths in VARIABLES.items():
        for path in paths if name in given else ():
            layer.put(path, given[name], Origin(name + suffix))
    if CALLER_KEYS in given:
        origin = Origin(CALLER_KEYS + suffix)
        layer.put(("access", "keys"), _caller_keys(given[CALLER_KEYS], origin.source, layer.problems), origin)
    if TRACE_HEADERS in given:
        origin = Origin(TRACE_HEADERS + suffix)
        layer.put(("telemetry", "headers"), _trace_headers(given[TRACE_HEADERS], origin.source, layer.problems), origin)
    for name in sorted(given, key=str.upper):
        if name.upper().startswith(PREFIX):
            layer.put(_path(name, known), _value(given[name]), Origin(name + suffix))
    return layer


def _path(name: str, known: Mapping[str, str]) -> SettingPath:
    parts = [part.lower() for part in name[len(PREFIX) :].split("__")]
    if parts[0] == "providers" and len(parts) > 1:
        parts[1] = known.get(parts[1].replace("-", "_"), parts[1])
    return tuple(parts)


def _value(text: str) -> Any:
    # Numbers and truth values stay text: the field they are for knows whether it wants one.
    if text[0] not in "[{":
        return text
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text


def _trace_headers(text: str, source: str, problems: list[str]) -> dict[str, str]:
    """OpenTelemetry's own spelling: `name=value,name=value`, with values percent-encoded."""
    headers: dict[str, str] = {}
    for number, entry in enumerate((entry.strip() for entry in text.split(",") if entry.strip()), start=1):
        name, equals, value = entry.partition("=")
        if not (equals and name.strip()):
            problems.append(f"{source} (telemetry.headers): entry {number} is not name=value")
        else:
            headers[name.strip()] = unquote(value.strip())
    return headers


def _caller_keys(text: str, source: str, problems: list[str]) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = []
    bare = 0
    for number, entry in enumerate((entry.strip() for entry in text.split(",") if entry.strip()), start=1):
        parts = [part.strip() for part in entry.split(":")]
        wrong = _wrong_entry(parts)
        if wrong:
            problems.append(f"{source} (access.keys): entry {number} {wrong}; write name:key or name:key:role")
        elif len(parts) == 1:
            bare += 1
            keys.append({"name": f"key{bare}", "key": parts[0]})
        else:
            keys.append(dict(zip(("name", "key", "role"), parts, strict=False)))
    return keys


def _wrong_entry(parts: list[str]) -> str:
    if len(parts) > 3:
        return f"has {len(parts)} parts, though neither a name nor a key may contain a colon"
    if not all(parts):
        return "has an empty part"
    if len(parts) == 2 and parts[1] in ROLES:
        return f"has the role {parts[1]} where its key belongs"
    if len(parts) == 3 and parts[2] not in ROLES:
        return f"has a role that is not one of {', '.join(ROLES)}"
    return ""
