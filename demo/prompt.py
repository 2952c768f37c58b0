"""What a request body asks for, whichever of the two GLM forms it came in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demo.schema import find_schema

Json = Mapping[str, Any]
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
"""What Claude Code puts beside the user's words; it names tools that nobody asks for."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request. `asked` is the last text of the user, `orders` are the system messages standing after it.

    `results` are name and text of the tool messages that ask for an answer now; `tools` are the offered functions.
    """

    model: str
    messages: Sequence[Json]
    asked: str
    orders: str = ""
    results: tuple[tuple[str, str], ...] = ()
    images: int = 0
    tools: tuple[Json, ...] = ()
    thinking: bool = True
    max_tokens: int | None = None
    stop: str | None = None
    json: bool = False
    schema: Json | None = None
    tool_definitions: Sequence[Any] = field(default=())


def from_platform(body: Json) -> Prompt:
    """The prompt in a body of the open platform that was found valid. Only the first stop word counts, as at GLM."""
    stop = body.get("stop") or [None]
    return _prompt(body, body.get("response_format") or {}, _thinks(body), body.get("max_tokens"), stop[0])


def from_web(body: Json) -> Prompt:
    """The prompt in a body of the web form; sampling values stand in `params`."""
    thinking = (body.get("features") or {}).get("enable_thinking") is not False
    return _prompt(body, {}, thinking, (body.get("params") or {}).get("max_tokens"))


def text_of(content: Any) -> str:
    """The text in a message's content, be it a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict) and "text" in part)


def _prompt(body: Json, form: Json, thinking: bool, max_tokens: int | None, stop: str | None = None) -> Prompt:
    messages = [message for message in body["messages"] if isinstance(message, dict)]
    last, orders = _last_user(messages)
    definitions = body.get("tools") or []
    json = form.get("type", "text") != "text" or "JSON" in orders
    schema = (form.get("json_schema") or {}).get("schema")
    return Prompt(
        model=str(body.get("model", "")),
        messages=messages,
        asked=_REMINDER.sub("", text_of(last.get("content"))).strip(),
        orders=orders,
        results=_results(messages),
        images=_images(last.get("content")),
        tools=tuple(tool["function"] for tool in definitions if _is_function(tool)),
        thinking=thinking,
        max_tokens=max_tokens,
        stop=stop,
        json=json,
        schema=schema or (find_schema([orders, text_of(last.get("content"))]) if json else None),
        tool_definitions=definitions,
    )


def _thinks(body: Json) -> bool:
    if str(body.get("model", "")).lower().startswith("glm-5.3"):
        return True  # this family thinks whatever it is told
    switched_on = (body.get("thinking") or {}).get("type") != "disabled"
    return switched_on and body.get("reasoning_effort") not in ("none", "minimal")


def _last_user(messages: Sequence[Json]) -> tuple[Json, str]:
    orders: list[str] = []
    for message in reversed(messages):
        if message.get("role") == "user":
            return message, "\n".join(reversed(orders))
        if message.get("role") == "system":
            orders.append(text_of(message.get("content")))
    return {}, ""


def _results(messages: Sequence[Json]) -> tuple[tuple[str, str], ...]:
    names = {call.get("id"): (call.get("function") or {}).get("name", "tool") for call in _calls(messages)}
    found: list[tuple[str, str]] = []
    for message in reversed(messages):
        if message.get("role") == "tool":
            found.append((names.get(message.get("tool_call_id"), "tool"), text_of(message.get("content"))))
        elif message.get("role") != "system":
            break
    return tuple(reversed(found))


def _calls(messages: Sequence[Json]) -> list[Json]:
    lists = [message.get("tool_calls") or [] for message in messages]
    return [call for calls in lists for call in calls if isinstance(call, dict)]


def _images(content: Any) -> int:
    parts = content if isinstance(content, list) else []
    return sum(1 for part in parts if isinstance(part, dict) and part.get("type") == "image_url")


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)
