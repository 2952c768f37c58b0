"""Ties the chunks of an OpenAI-shaped answer to the events they came from."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.stream import ChatChunk, Passed, RawEvent, ReasoningDelta, Started, TextDelta, ToolCallDelta

REASONING = ("reasoning_content", "reasoning")
TOLD_BY_CHUNKS = frozenset({*REASONING, "content", "tool_calls"})


class Forwarding:
    """The events of one answer on their way to a client that speaks the provider's dialect.

    Each chunk carries its event, or its part of one that says several things at once; what tells the end and the usage
    is kept for `end`, and everything that comes after it as well.
    """

    __slots__ = ("end",)

    def __init__(self) -> None:
        self.end: list[RawEvent] = []

    def tie(self, data: bytes, name: str | None, frame: Mapping[str, Any], chunks: list[ChatChunk]) -> list[ChatChunk]:
        """The chunks that `frame` says, each with its raw event; Passed when it says nothing that is known here."""
        raw = RawEvent(data, name, frame)
        if name == "body":
            self.end = [raw]
            return [_with(chunk, raw) for chunk in chunks]
        ends = _ends(frame)
        if self.end or (ends and not chunks):
            self.end.append(raw)
            return chunks
        if not chunks:
            return [Passed(raw)]
        if ends:
            self.end.append(_part(frame, {}, frame["choices"][0].get("finish_reason")))
        if len(chunks) == 1 and not ends:
            return [_with(chunks[0], raw)]
        return _split(frame, chunks)


def _ends(frame: Mapping[str, Any]) -> bool:
    choices = frame.get("choices")
    if not choices:
        return bool(frame.get("usage"))
    return bool(choices[0].get("finish_reason"))


def _with(chunk: ChatChunk, raw: RawEvent) -> ChatChunk:
    if isinstance(chunk, (TextDelta, ReasoningDelta, ToolCallDelta, Started)):
        chunk.raw = raw
    return chunk


def _split(frame: Mapping[str, Any], chunks: Sequence[ChatChunk]) -> list[ChatChunk]:
    """One event a chunk; what else the delta says goes with the first."""
    delta = frame["choices"][0]["delta"]
    rest = {name: value for name, value in delta.items() if name not in TOLD_BY_CHUNKS}
    calls = iter(delta.get("tool_calls") or ())
    tied: list[ChatChunk] = []
    for chunk in chunks:
        told = _told(chunk, delta, calls)
        tied.append(_with(chunk, _part(frame, {**rest, **told}, None)))
        rest = {}
    return tied


def _told(chunk: ChatChunk, delta: Mapping[str, Any], calls: Any) -> dict[str, Any]:
    if isinstance(chunk, TextDelta):
        return {"content": delta["content"]}
    if isinstance(chunk, ReasoningDelta):
        return {name: delta[name] for name in REASONING if delta.get(name)}
    return {"tool_calls": [next(call for call in calls if isinstance(call, dict) and call.get("function"))]}


def _part(frame: Mapping[str, Any], delta: Mapping[str, Any], finish_reason: Any) -> RawEvent:
    choice = {**frame["choices"][0], "delta": dict(delta), "finish_reason": finish_reason}
    ending = finish_reason is not None
    value = {name: value for name, value in frame.items() if ending or name != "usage"}
    return RawEvent(b"", None, {**value, "choices": [choice]})
