"""Reads the tool calls of an OpenAI-shaped answer, and mends how they are written."""

from collections.abc import Mapping
from typing import Any

from core.providers.tool_calls import new_call_id
from schemas.codec import dumps, loads
from schemas.stream import ToolCallDelta

Wire = Mapping[str, Any]

FUNCTION = -1
"""The number of the one call of an answer in the older form, `function_call`."""


class ToolCalls:
    """The tool calls one answer has begun, numbered from 0 in order of appearance whatever the provider numbers.

    False as long as none has a name.
    """

    __slots__ = ("_by_index", "_calls")

    def __init__(self) -> None:
        self._by_index: dict[int, int] = {}
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return any(call.name for call in self._calls)

    @property
    def nameless(self) -> bool:
        """True when a call waits for its name still."""
        return not all(call.name for call in self._calls)

    def read(self, call: Any, *, whole: bool = False) -> tuple[ToolCallDelta | None, Any]:
        """The piece `call` adds, and `call` as OpenAI would have written it; `whole` calls are complete, each its own.

        What comes ahead of a call's name waits for it: then both are None, as for what is no call at all. A call that
        ran at the provider (it has no `function`) is no piece, and stays as it is.
        """
        if not isinstance(call, dict) or not isinstance(call.get("function", {}), dict):
            return None, None
        function = call.get("function")
        if function is None:
            return None, call
        ident, name = call.get("id"), function.get("name")
        ident = str(ident) if isinstance(ident, str | int) and ident != "" else None
        name = name if isinstance(name, str) and name else None
        arguments = _arguments(function.get("arguments"))
        slot = self._new() if whole else self._slot(call.get("index"), ident, name, arguments)
        piece = self._calls[slot].add(slot, ident, name, arguments)
        return piece, None if piece is None else _sound(call, function, piece)

    def bare(self) -> list[int]:
        """The calls that came without arguments, which OpenAI writes as an empty object."""
        return [slot for slot, call in enumerate(self._calls) if call.name and call.bare]

    def _slot(self, index: Any, ident: str | None, name: str | None, arguments: str) -> int:
        known = [slot for slot, call in enumerate(self._calls) if ident and call.ident == ident]
        if isinstance(index, int):
            slot = known[0] if known else self._by_index.get(index)
            # Some providers number every call 0: another id or name under a known number is another call.
            if slot is None or self._calls[slot].differs(ident, name, arguments):
                slot = self._new()
            self._by_index[index] = slot
            return slot
        if ident:
            return known[0] if known else self._new()
        return self._new() if name or not self._calls else len(self._calls) - 1

    def _new(self) -> int:
        self._calls.append(_Call())
        return len(self._calls) - 1


class _Call:
    """What is known of one call; `ident` is the provider's, `bare` while no arguments have come."""

    __slots__ = ("_held", "_said", "bare", "ident", "name")

    def __init__(self) -> None:
        self._held: list[str] = []
        self._said: list[str] = []
        self.bare = True
        self.ident: str | None = None
        self.name: str | None = None

    def differs(self, ident: str | None, name: str | None, arguments: str) -> bool:
        if ident:
            return self.ident not in (None, ident)
        if name is None or self.name is None:
            return False
        # The same tool once more, when all has been said of the first call.
        return name != self.name or (bool(arguments) and _is_complete("".join(self._said)))

    def add(self, slot: int, ident: str | None, name: str | None, arguments: str) -> ToolCallDelta | None:
        self.ident = self.ident or ident
        self._said.append(arguments)
        self.bare = self.bare and not arguments.strip()
        if self.name is not None:
            return ToolCallDelta(slot, arguments=arguments)
        self._held.append(arguments)
        self.name = name
        return None if name is None else ToolCallDelta(slot, self.ident or new_call_id(), name, "".join(self._held))


def _sound(call: Wire, function: Wire, piece: ToolCallDelta) -> Wire:
    """The call as OpenAI would have written the piece: itself, or with what differs."""
    said = {"name": function.get("name") or None, "arguments": function.get("arguments", "")}
    edits: dict[str, Any] = {}
    if said != {"name": piece.name, "arguments": piece.arguments}:
        edits["function"] = _with(function, {"name": piece.name, "arguments": piece.arguments})
    if call.get("index") != piece.index or isinstance(call["index"], bool):
        edits["index"] = piece.index
    if call.get("id") != piece.id:
        edits["id"] = piece.id
    if call.get("type") != "function" and (piece.id is not None or "type" in call):
        edits["type"] = "function"
    return _with(call, edits) if edits else call


def _with(value: Wire, edits: Wire) -> Wire:
    return {name: field for name, field in {**value, **edits}.items() if field is not None}


def _is_complete(arguments: str) -> bool:
    try:
        return isinstance(loads(arguments), dict)
    except ValueError:
        return False


def _arguments(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return dumps(value).decode()
