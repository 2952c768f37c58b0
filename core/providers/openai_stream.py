"""Turns OpenAI-shaped answers, streamed or whole, into chunks."""

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

from core.errors import UpstreamBroken, UpstreamError
from core.sse import Event
from schemas.codec import dumps
from schemas.stream import ChatChunk, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage


class ToolCalls:
    """The tool calls one answer has begun, numbered from 0 in order of appearance whatever the provider numbers."""

    __slots__ = ("_by_index", "_ids", "_named")

    def __init__(self) -> None:
        self._by_index: dict[int, int] = {}
        self._ids: list[str | None] = []
        self._named: list[bool] = []

    def __bool__(self) -> bool:
        return bool(self._ids)

    def read(self, call: Any) -> ToolCallDelta | None:
        """The piece `call` adds; None for a call that ran at the provider (it has no `function`) or is no call."""
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            return None
        ident, name = call.get("id"), function.get("name")
        ident = str(ident) if isinstance(ident, str | int) and ident != "" else None
        name = name if isinstance(name, str) and name else None
        slot = self._slot(call.get("index"), ident, name)
        first_id = ident if self._ids[slot] is None else None
        first_name = name if not self._named[slot] else None
        self._ids[slot] = self._ids[slot] or ident
        self._named[slot] = self._named[slot] or name is not None
        return ToolCallDelta(slot, first_id, first_name, _arguments(function.get("arguments")))

    def _slot(self, index: Any, ident: str | None, name: str | None) -> int:
        if isinstance(index, int):
            slot = self._by_index.get(index)
            # Some providers number every call 0: another id under a known number is another call.
            if slot is None or (ident and self._ids[slot] not in (None, ident)):
                slot = self._by_index[index] = self._new()
            return slot
        if ident:
            return self._ids.index(ident) if ident in self._ids else self._new()
        return self._new() if name or not self._ids else len(self._ids) - 1

    def _new(self) -> int:
        self._ids.append(None)
        self._named.append(False)
        return len(self._ids) - 1


class Answer:
    """What has been read of one answer so far."""

    __slots__ = ("calls", "complete", "produced", "raw_reason", "raw_usage", "reason")

    def __init__(self) -> None:
        self.calls = ToolCalls()
        self.produced = False
        self.complete = False
        self.raw_reason: str | None = None
        self.raw_usage: Mapping[str, Any] | None = None
        self.reason: FinishReason | None = None

    def read(self, frame: Mapping[str, Any]) -> list[ChatChunk]:
        """The chunks in one frame, reasoning ahead of text ahead of tool calls; notes usage, finish reason, end."""
        usage = frame.get("usage")
        if usage and isinstance(usage, dict):
            self.raw_usage = usage
        choices = frame.get("choices")
        choice = choices[0] if choices and isinstance(choices, list) else None
        if not isinstance(choice, dict):
            return []
        delta = choice.get("delta")
        if delta is None:
            delta = choice.get("message")
            self.complete = self.complete or delta is not None
        chunks = self._chunks(delta) if isinstance(delta, dict) else []
        reason = choice.get("finish_reason")
        if reason and isinstance(reason, str):
            self.raw_reason = reason
        if chunks:
            self.produced = True
        return chunks

    def _chunks(self, delta: Mapping[str, Any]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning and isinstance(reasoning, str):
            chunks.append(ReasoningDelta(reasoning))
        content = delta.get("content")
        if content:
            text = content if isinstance(content, str) else _joined(content)
            if text:
                chunks.append(TextDelta(text))
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            chunks.extend(piece for piece in map(self.calls.read, calls) if piece is not None)
        return chunks

    def last_reason(self) -> FinishReason:
        """Why the answer ended; raises UpstreamBroken when the provider never said that it did."""
        if self.reason is not None:
            return self.reason
        if not self.complete:
            raise UpstreamBroken("the provider's answer broke off before its end")
        if not self.produced:
            raise UpstreamBroken("the provider's answer was empty")
        return "tool_calls" if self.calls else "stop"


def until_broken(events: Iterable[Event], answer: Answer) -> Iterator[Event]:
    """The events, where a connection that fails after the finish reason counts as the end of the answer."""
    try:
        yield from events
    except UpstreamError:
        if answer.reason is None:
            raise


def read_usage(raw: Mapping[str, Any]) -> Usage | None:
    """OpenAI's token counts, in which the prompt includes cached and written tokens; None when nothing is told."""
    prompt, output = _count(raw.get("prompt_tokens")), _count(raw.get("completion_tokens"))
    if prompt is None and output is None:
        return None
    details = _mapping(raw.get("prompt_tokens_details"))
    read, written = _count(details.get("cached_tokens")), _count(details.get("cache_write_tokens"))
    return Usage(
        uncached=None if prompt is None else prompt - (read or 0) - (written or 0),
        read=read,
        write_short=written,
        output=output,
        reasoning=_count(_mapping(raw.get("completion_tokens_details")).get("reasoning_tokens")),
    )


CACHED = ("prompt_tokens_details", "cached_tokens")
"""Where the usage has what was read from a cache."""


def count_in(usage: Mapping[str, Any], details: str, name: str) -> int | None:
    """A count among the details of a usage; None when it is not told."""
    return _count(_mapping(usage.get(details)).get(name))


def _count(value: Any) -> int | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return int(value) if number else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _joined(parts: Any) -> str:
    if not isinstance(parts, list):
        return ""
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _arguments(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return dumps(value).decode()
