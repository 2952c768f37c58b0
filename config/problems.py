"""Mistakes in the configuration, told so that a person can correct them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.expectations import Node, expectation, find, is_secret
from config.layers import Origin, SettingPath
from config.masking import MASK, is_secret_name, mask_text
from config.settings import Settings

_LONGEST_VALUE = 80


class ConfigurationError(ValueError):
    """The configuration has mistakes; `problems` has one line for each, without secrets."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} mistakes" if len(self.problems) != 1 else "a mistake"
        super().__init__("\n".join([f"The configuration has {count}:", *(f"  - {line}" for line in self.problems)]))


def explain(error: ValidationError, origins: Mapping[SettingPath, Origin]) -> list[str]:
    """Return a line for each of pydantic's findings: where it was written, the value masked, what is allowed."""
    schema = Settings.model_json_schema()
    return [_line(finding, schema, origins) for finding in error.errors(include_url=False)]


def _line(finding: ErrorDetails, schema: Node, origins: Mapping[SettingPath, Origin]) -> str:
    location = finding["loc"]
    label = place(location, origins)
    match finding["type"]:
        case "extra_forbidden":
            return f"{label}: {_unknown(location, schema)}"
        case "missing":
            return f"{label}: is required, and must be {expectation(find(schema, location))}"
        case "value_error":
            message = finding["msg"].removeprefix("Value error, ")
            return f"{label}: {message}" if label else message
    node = find(schema, location)
    return f"{label}: {_shown(finding['input'], str(location[-1]), node)} is not {expectation(node)}"


def _unknown(location: tuple[str | int, ...], schema: Node) -> str:
    allowed = [*find(schema, location[:-1]).get("properties", {}), *_shorthands(location[:-1])]
    close = get_close_matches(str(location[-1]), allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"is no setting{hint}; allowed here: {', '.join(allowed)}"


def _shorthands(group: tuple[str | int, ...]) -> tuple[str, ...]:
    if len(group) == 2 and group[0] == "providers":
        return ("api_key",)
    return ("listen_addr", "log_level") if not group else ()


def place(location: Sequence[str | int], origins: Mapping[SettingPath, Origin]) -> str:
    """Name where the setting at `location` was written, and the setting itself; that alone when nobody wrote it."""
    path, text = tuple(str(name) for name in location), dotted(location)
    for length in range(len(path), 0, -1):
        origin = origins.get(path[:length])
        if origin:
            rest = dotted(("", *location[length:]))
            return Origin(origin.source, origin.place + rest if origin.place else "").label(text)
    for near in (path, path[:-1]):
        written = sorted({origin.source for known, origin in origins.items() if near and known[: len(near)] == near})
        if written:
            return f"{', '.join(written)} ({text})"
    return text


def dotted(location: Sequence[str | int]) -> str:
    """Spell a location the way people read it: `access.keys[0].name`."""
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in location).removeprefix(".")


def _shown(value: Any, name: str, node: Node) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if is_secret(node) or is_secret_name(name):
        return MASK
    text = "null" if value is None else mask_text(repr(value))
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
