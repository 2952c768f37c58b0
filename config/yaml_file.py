"""The YAML file as settings."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from config.layers import Layer, Origin
from config.yaml_lines import senseless

WRAPPER = "llmproxy"
_PROVIDERS_KEY = re.compile(rf"\.(?:{WRAPPER}\.)?providers\..+\.keys\[\d+\]")
"""Where an entry is left out when its key comes from a variable that is empty. A caller's key is not: without any, the
gateway is open."""

_VARIABLE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


_ENDLESS = "it is nested without end"


class _Unset(Exception):
    """A variable without a value and without a default."""


def yaml_layer(file: Path, name: str, variables: Mapping[str, str]) -> Layer:
    """Return the settings in `file`, called `name` in messages, with each `${VARIABLE}` filled in.

    What stands under `llmproxy:` counts as if it stood at the top. A section with nothing in it is not given. A text
    that is empty after filling in is not given either. `$${` stands for a plain `${`.
    """
    layer = Layer()
    try:
        text = file.read_text(encoding="utf-8")
        document = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        layer.problems.append(f"{name}{_line(error)}: {_reason(error)}")
        return layer
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        layer.problems.append(f"{name}: cannot be read: {error}")
        return layer
    except (ValueError, ArithmeticError, RecursionError, TypeError, KeyError) as error:
        # What stands there has the form of a date or a number and is none, or has no end.
        found = senseless(text)
        where = f"{name}, line {found[0]}: {found[1]}: the value" if found else f"{name}: cannot be read: a value in it"
        layer.problems.append(f"{where} makes no sense ({_short(error)})")
        return layer
    if document is not None and not isinstance(document, dict):
        layer.problems.append(f"{name}: must be a mapping of names to settings")
        return layer
    try:
        filled = _fill(document or {}, "", name, variables, layer.problems)
    except RecursionError:
        layer.problems.append(f"{name}: {_ENDLESS}")
        return layer
    wrapped = filled.pop(WRAPPER, None)
    _put_all(layer, filled, name, "")
    if isinstance(wrapped, dict):
        _put_all(layer, wrapped, name, f"{WRAPPER}.")
    elif wrapped is not None:
        layer.problems.append(f"{name}: {WRAPPER}: must be a mapping of names to settings")
    return layer


def _put_all(layer: Layer, settings: Mapping[str, Any], name: str, before: str) -> None:
    for key, value in settings.items():
        given = value
        if isinstance(value, dict) and key == "providers":
            given = {provider: entry for provider, entry in value.items() if entry is not None}
        if given is not None:
            layer.put((key,), given, Origin(name, before + key))


def _fill(node: Any, path: str, name: str, variables: Mapping[str, str], problems: list[str]) -> Any:
    if isinstance(node, dict):
        inner = {str(key): _fill(value, f"{path}.{key}", name, variables, problems) for key, value in node.items()}
        if inner.get("key") is _Unset and _PROVIDERS_KEY.fullmatch(path):
            return _Unset
        return {key: value for key, value in inner.items() if value is not _Unset}
    if isinstance(node, list):
        items = [_fill(value, f"{path}[{index}]", name, variables, problems) for index, value in enumerate(node)]
        return [value for value in items if value is not _Unset]
    if not isinstance(node, str) or "${" not in node:
        return node
    try:
        return _VARIABLE.sub(lambda match: _one(match, variables), node) or _Unset
    except _Unset as unset:
        problems.append(
            f"{name}: {path[1:]}: the variable {unset} is not set and has no default; ${{{unset}:-default}}"
        )
        return _Unset


def _one(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[1]:
        return match[1]
    value = variables.get(match[2]) or match[3]
    if value is None:
        raise _Unset(match[2])
    return value


def _short(error: Exception) -> str:
    # The value itself may be a secret.
    return _ENDLESS if isinstance(error, RecursionError) else re.sub(r"'.*'", "…", str(error))


def _line(error: MarkedYAMLError) -> str:
    return f", line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _reason(error: MarkedYAMLError) -> str:
    # The library's text may quote the line itself, and with it a secret.
    found = re.search(r'duplicate key "([^"]*)"', str(error.problem or ""))
    if found:
        return f"the name {found[1]} stands here twice"
    return f"is not valid YAML: {str(error.problem or error.context or 'unreadable').splitlines()[0]}"
