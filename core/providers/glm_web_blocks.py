"""The calls of the client's own tools within a chat.z.ai answer, in the three forms the site writes them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from core.providers.glm_web_split import Block
from schemas.codec import dumps, loads
from schemas.stream import ToolCallDelta

_NAME = re.compile(r"""\btool_call_name=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


@dataclass(slots=True)
class _Call:
    id: str | None
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Calls:
    """Gathers calls until the answer has ended, because an edit may still replace one by its finished form.

    Each call is then given once, whole, in the order first seen. Calls of the site's own tools are left out.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._calls: dict[str, _Call] = {}
        self._last = ""

    def add_block(self, block: Block) -> None:
        """Take the call of a `<glm_block>`; the same id again replaces it. A block that holds no object is no call."""
        data = _object(_object(_parsed(block.body)).get("data"))
        metadata = _object(data.get("metadata"))
        found = _NAME.search(block.tag)
        name = (found.group(1) or found.group(2)) if found else metadata.get("name") or data.get("name")
        if data and isinstance(name, str):
            id_ = _text(metadata.get("id"))
            self._replace(id_ or f"block {block.order}", id_, name, _text(metadata.get("arguments")))

    def add_piece(self, frame: Mapping[str, Any]) -> None:
        """Take `delta_name` and `delta_arguments`; without an id they belong to the call before."""
        name, arguments = _text(frame.get("delta_name")), _text(frame.get("delta_arguments"))
        id_ = _text(_object(frame.get("metadata")).get("tool_call_id"))
        if name or arguments:
            call = self._at(id_ or self._last, id_ or None)
            call.name += name
            call.arguments.append(arguments)

    def add_openai(self, entries: object) -> None:
        """Take OpenAI-like `tool_calls`, whole or in pieces; an entry that names its function begins the call anew."""
        for place, entry in enumerate(entries if isinstance(entries, list) else []):
            function, id_ = _object(_object(entry).get("function")), _text(_object(entry).get("id"))
            name, arguments = _text(function.get("name")), _text(function.get("arguments"))
            position = f"position {_object(entry).get('index', place)}"
            if name:
                self._replace(id_ or position, id_, name, arguments)
                self._calls[position] = self._calls[id_ or position]
            elif arguments:
                self._at(position, None).arguments.append(arguments)

    def chunks(self) -> Iterator[ToolCallDelta]:
        """The calls of the client's tools, numbered from 0."""
        calls = {id(call): call for call in self._calls.values() if call.name in self._names}
        for index, call in enumerate(calls.values()):
            arguments = "".join(call.arguments) or "{}"
            yield ToolCallDelta(index, call.id or _made_up_id(index, call.name, arguments), call.name, arguments)

    def _replace(self, key: str, id_: str, name: str, arguments: str) -> None:
        call = self._at(key, id_ or None)
        call.name = name
        if arguments:
            call.arguments = [arguments]

    def _at(self, key: str, id_: str | None) -> _Call:
        self._last = key
        return self._calls.setdefault(key, _Call(id_))


def _made_up_id(index: int, name: str, arguments: str) -> str:
    return "call_" + sha256(f"{index}\0{name}\0{arguments}".encode()).hexdigest()[:24]


def _parsed(text: str) -> object:
    try:
        return loads(text)
    except ValueError:
        return None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A string as it is, an object as the JSON text that spells it, anything else as nothing."""
    if isinstance(value, str):
        return value
    return dumps(value).decode() if isinstance(value, dict | list) else ""
