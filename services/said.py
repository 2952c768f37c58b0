"""What an answer has said so far, up to a bound."""

from collections.abc import Iterator
from typing import Any

from schemas.stream import ChatChunk, ReasoningDelta, TextDelta, ToolCallDelta


class Said:
    """Collects text, thinking and tool calls, `limit` characters of them all together."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._cut = 0

    def heard(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The same chunks."""
        for chunk in chunks:
            if isinstance(chunk, TextDelta):
                self._keep(self._text, chunk.text)
            elif isinstance(chunk, ReasoningDelta):
                self._keep(self._reasoning, chunk.text)
            elif isinstance(chunk, ToolCallDelta):
                call = self._calls.setdefault(chunk.index, [chunk.name or ""])
                self._keep(call, chunk.arguments)
            yield chunk

    def told(self, *, complete: bool) -> dict[str, Any]:
        """What was said, and whether that was all of it."""
        calls = [{"name": name, "arguments": "".join(parts)} for name, *parts in self._calls.values()]
        told = {"text": "".join(self._text), "reasoning": "".join(self._reasoning), "tool_calls": calls}
        cut = {"cut_off": self._cut} if self._cut else {}
        return {name: value for name, value in told.items() if value} | {"complete": complete} | cut

    def _keep(self, where: list[str], text: str) -> None:
        kept = text[: max(0, self._left)]
        self._left -= len(kept)
        self._cut += len(text) - len(kept)
        if kept:
            where.append(kept)
