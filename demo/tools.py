"""The tool calls the simulated model makes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.prompt import Prompt
from demo.schema import example
from schemas.codec import dumps

_ORDER = re.compile(r"\bmust\b[^.]*\b(?:call|called|calling|use|used|using)\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_VAGUE = frozenset(
    {"get", "set", "find", "fetch", "search", "list", "look", "lookup", "read", "query", "call", "run", "do"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one function; `arguments` is JSON text."""

    name: str
    arguments: str


def choose(prompt: Prompt) -> tuple[Call, ...]:
    """The calls `prompt` asks for: tools named in the text, else those whose telling words all stand in it.

    A system message after the user's text that says a tool must be called is obeyed with the first tool.
    """
    wanted = [tool for tool in prompt.tools if _named(tool["name"], f"{prompt.asked}\n{prompt.orders}")]
    wanted = wanted or [tool for tool in prompt.tools if _meant(tool["name"], prompt.asked)]
    if not wanted and _ORDER.search(prompt.orders):
        wanted = list(prompt.tools[:1])
    return tuple(Call(tool["name"], _arguments(tool, prompt.asked)) for tool in wanted)


def _named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _meant(name: str, text: str) -> bool:
    telling = set(_words(name)) - _VAGUE
    return bool(telling) and telling <= set(_words(text))


def _words(text: str) -> Sequence[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _arguments(tool: Mapping[str, Any], asked: str) -> str:
    value = example(tool.get("parameters") or {"type": "object"}, asked)
    return dumps(value if isinstance(value, dict) else {}).decode()
