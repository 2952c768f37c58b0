"""Refuses the request bodies that GLM would refuse."""

from collections.abc import Callable, Mapping
from typing import Any

from demo.faults import Fault

_ROLES = frozenset({"system", "user", "assistant", "tool"})


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _text(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and low <= len(value) <= high


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "stream": _is(bool),
    "do_sample": _is(bool),
    "tool_stream": _is(bool),
    "thinking": lambda value: isinstance(value, dict) and value.get("type", "enabled") in ("enabled", "disabled"),
    "temperature": _number(0, 1),
    "top_p": _number(0.01, 1),
    "max_tokens": lambda value: isinstance(value, int) and _number(1, 131_072)(value),
    "stop": lambda value: isinstance(value, list) and len(value) <= 4 and all(isinstance(word, str) for word in value),
    "tools": lambda value: isinstance(value, list) and len(value) <= 128,
    "response_format": lambda value: isinstance(value, dict) and isinstance(value.get("json_schema", {}), dict),
    "request_id": _text(6, 64),
    "user_id": _text(6, 128),
}
_WEB_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "features": _is(dict),
    "params": lambda value: isinstance(value, dict) and isinstance(value.get("max_tokens") or 0, int),
    "tools": _is(list),
}


def platform_fault(body: Any) -> Fault | None:
    """Why the open platform refuses `body`, or None. A field that is null counts as not sent."""
    if not isinstance(body, dict):
        return Fault("1210", 400, "The request body must be a JSON object")
    for name in ("model", "messages"):
        if not body.get(name):
            return Fault("1213", 400, f"The parameter {name} was not received")
    if problem := _messages_problem(body["messages"]):
        return Fault("1214", 400, problem)
    return _field_fault(body, _FIELDS)


def web_fault(body: Any) -> Fault | None:
    """Why the web form refuses `body`, or None."""
    if not isinstance(body, dict) or not body.get("model"):
        return Fault("1210", 400, "Model not found")
    if problem := _messages_problem(body.get("messages")):
        return Fault("1214", 400, problem)
    return _field_fault(body, _WEB_FIELDS)


def _field_fault(body: Mapping[str, Any], fields: Mapping[str, Callable[[Any], bool]]) -> Fault | None:
    for name, accepts in fields.items():
        if body.get(name) is not None and not accepts(body[name]):
            return Fault("1210", 400, f"The parameter {name} is invalid")
    return None


def _messages_problem(messages: Any) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "The parameter messages must be a list that is not empty"
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return f"messages[{index}].role is invalid"
    if not any(message["role"] in ("user", "tool") for message in messages):
        return "messages must not consist of system and assistant messages only"
    return None
