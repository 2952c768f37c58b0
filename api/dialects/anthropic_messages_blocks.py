"""Writes content blocks as events, one after the other."""

from collections.abc import Mapping
from typing import Any

from api.dialects.anthropic_messages_answer import Display, arguments_object
from core import sse
from schemas.chat import UNSIGNED
from schemas.codec import dumps
from schemas.stream import ReasoningDelta, Signature, TextDelta, ToolCallDelta

DELTAS: Mapping[str, bytes] = {
    "text": b'{"type":"text_delta","text":',
    "thinking": b'{"type":"thinking_delta","thinking":',
    "signature": b'{"type":"signature_delta","signature":',
    "tool_use": b'{"type":"input_json_delta","partial_json":',
}
"""How the delta of a block begins, by the block's type."""


class Blocks:
    """Knows which block is open, and what index comes next, whether the blocks are written or forwarded."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._next = 0
        self._open: str | None = None
        self._signed = False
        self._head = b""
        self._blank: str | None = ""
        """What has come of a call's arguments as long as that is blank; None from the first letter on."""
        self._held: list[str] | None = None

    def write(self, piece: TextDelta | ReasoningDelta | Signature | ToolCallDelta) -> bytes:
        """The events that say `piece`: none for thinking that is not shown."""
        if isinstance(piece, TextDelta):
            return self._opened("text", {"type": "text", "text": ""}) + self._delta("text", piece.text)
        if isinstance(piece, ToolCallDelta):
            return self._call(piece)
        if self._display == "none":
            return b""
        return self._signature(piece) if isinstance(piece, Signature) else self._thinking(piece)

    def close(self) -> bytes:
        """End the block that is open, if one is; thinking that nobody has signed gets the gateway's own mark."""
        if self._open is None:
            return b""
        lead = self._delta("signature", UNSIGNED) if self._open == "thinking" and not self._signed else b""
        if self._held is not None:
            lead = self._delta("tool_use", dumps(arguments_object("".join(self._held))).decode())
        self._open = self._held = None
        return lead + _event("content_block_stop", {"index": self._next - 1})

    def placed(self, kind: str, event: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any] | None]:
        """What must be said ahead of an event of a block that goes on between written ones, and the event with the
        index that it has here; None for one whose block is over."""
        if kind == "content_block_start":
            return self.close(), {**event, "index": self._next}
        delta = event.get("delta")
        if isinstance(delta, Mapping) and delta.get("type") == "citations_delta":
            return self._opened("text", {"type": "text", "text": ""}), {**event, "index": self._next - 1}
        over = self._open is None or self._open in DELTAS
        return b"", None if over else {**event, "index": self._next - 1}

    def follow(self, kind: str | None, event: Mapping[str, Any]) -> None:
        """Note what a forwarded event of that kind does to the blocks."""
        if kind == "content_block_start":
            block, index = event.get("content_block"), event.get("index")
            self._open = str(block.get("type")) if isinstance(block, Mapping) else ""
            self._begin(index if isinstance(index, int) else self._next)
        elif kind == "content_block_stop":
            self._open = None
        elif kind == "content_block_delta":
            delta = event.get("delta")
            self._signed |= isinstance(delta, Mapping) and delta.get("type") == "signature_delta"

    def _opened(self, kind: str, block: Mapping[str, Any]) -> bytes:
        return b"" if self._open == kind else self._start(kind, block)

    def _start(self, kind: str, block: Mapping[str, Any]) -> bytes:
        ended = self.close()
        self._open = kind
        self._begin(self._next)
        return ended + _event("content_block_start", {"index": self._next - 1, "content_block": block})

    def _begin(self, index: int) -> None:
        """Prepare what every delta of the block begins with."""
        self._next, self._signed = index + 1, False
        self._blank, self._held = "", None
        self._head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":' % index

    def _delta(self, kind: str, value: str) -> bytes:
        return self._head + DELTAS[kind] + dumps(value) + b"}}\n\n"

    def _thinking(self, piece: ReasoningDelta) -> bytes:
        if piece.hidden:
            return b""
        begun = self._opened("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        return begun + (self._delta("thinking", piece.text) if self._display == "full" else b"")

    def _signature(self, piece: Signature) -> bytes:
        if piece.redacted:
            return self._start("redacted_thinking", {"type": "redacted_thinking", "data": piece.value}) + self.close()
        begun = self._opened("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        signed = self._delta("signature", piece.value)
        self._signed = True
        return begun + signed + self.close()

    def _call(self, piece: ToolCallDelta) -> bytes:
        begun = b""
        if piece.name is not None or self._open != "tool_use":
            block = {"type": "tool_use", "id": piece.id or "", "name": piece.name or "", "input": {}}
            begun = self._start("tool_use", block)
        arguments = self._object(piece.arguments)
        return begun + (self._delta("tool_use", arguments) if arguments else b"")

    def _object(self, arguments: str) -> str:
        """What can be sent of a call's arguments: what begins as anything but an object waits to be made one."""
        if self._held is not None:
            self._held.append(arguments)
            return ""
        if self._blank is None:
            return arguments
        arguments, self._blank = self._blank + arguments, None
        begun = arguments.lstrip()
        if not begun:
            self._blank = arguments
        elif not begun.startswith("{"):
            self._held = [arguments]
        return arguments if begun.startswith("{") else ""


def _event(name: str, fields: Mapping[str, Any]) -> bytes:
    return sse.encode(dumps({"type": name, **fields}), name)
