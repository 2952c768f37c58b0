"""Ties the chunks of an OpenAI-shaped answer to the events they came from."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.providers.openai_stream import Piece, Reading, says_more
from core.sse import Event
from schemas.stream import ChatChunk, FinishReason, Passed, RawEvent, ReasoningDelta, TextDelta, ToolCallDelta

WHOLE = "body"
"""The name of the one event that an answer comes as which is no stream."""
WORDS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""Why an answer may have ended, in OpenAI's words."""


class Forwarding:
    """The events of one answer on their way to a client that speaks the provider's dialect.

    Each chunk carries its event, or its part of one that says several things at once. What tells the end and the usage
    waits for `ending`, and so does what comes after it, content aside.
    """

    __slots__ = ("_end", "_ended")

    def __init__(self) -> None:
        self._end: list[RawEvent] = []
        self._ended = False

    def tie(self, event: Event, said: Mapping[str, Any], reading: Reading) -> list[ChatChunk]:
        """The chunks of `reading`, each with its raw event; Passed when it says nothing that is known here.

        `said` is what the event's data says; data that says something else than `reading` is not forwarded.
        """
        frame = reading.frame
        if frame is None:
            return []
        raw = RawEvent(event.data if frame is said else b"", event.name, frame)
        choices = frame.get("choices")
        if event.name == WHOLE:
            self._end = [raw]
            return [_with(chunk, raw) for chunk in reading.chunks] or [Passed(raw, begins=says_more(reading.delta))]
        if choices:
            return self._told(raw, choices[0], reading)
        if frame.get("usage") or self._ended:
            self._end.append(raw)
            return []
        return [Passed(raw)]

    def _told(self, raw: RawEvent, choice: Mapping[str, Any], reading: Reading) -> list[ChatChunk]:
        ends, exact = bool(choice.get("finish_reason")), reading.delta is choice.get("delta")
        if not reading.pieces:
            event = raw if exact or not reading.delta else _part(raw.value, reading.delta, choice.get("finish_reason"))
            if ends or self._ended:
                self._end.append(event)
                self._ended = True
                return []
            return [Passed(event, begins=says_more(reading.delta))]
        if ends:
            self._ended = True
            self._end.append(_part(raw.value, {}, choice["finish_reason"]))
        elif len(reading.pieces) == 1 and exact:
            return [_with(reading.pieces[0][0], raw)]
        return _split(raw.value, reading.delta, reading.pieces)

    def ending(self, reason: FinishReason, *, legacy: bool) -> tuple[RawEvent, ...]:
        """The events that tell the end, one finish reason among them: the provider's word where it is OpenAI's too.

        `legacy`: the call was one of the older functions.
        """
        kept: list[RawEvent] = []
        told = False
        for raw in self._end:
            choice = raw.value["choices"][0] if raw.value.get("choices") and raw.name != WHOLE else {}
            word = choice.get("finish_reason")
            if not word:
                kept.append(raw)
            elif not told:
                told = True
                right = word == reason or (word == "function_call" and reason == "tool_calls")
                meant = "function_call" if legacy and reason == "tool_calls" else reason
                kept.append(raw if right else _part(raw.value, choice.get("delta") or {}, meant))
            elif raw.value.get("usage"):
                kept.append(RawEvent(b"", None, {**raw.value, "choices": []}))
        return tuple(kept)


def _with(chunk: ChatChunk, raw: RawEvent) -> ChatChunk:
    if isinstance(chunk, (TextDelta, ReasoningDelta, ToolCallDelta)):
        chunk.raw = raw
    return chunk


def _split(frame: Mapping[str, Any], delta: Mapping[str, Any], pieces: Sequence[Piece]) -> list[ChatChunk]:
    """One event a chunk; what else the frame says goes with the first."""
    told = {name for _, said in pieces for name in said}
    rest = {name: value for name, value in delta.items() if name not in told}
    tied: list[ChatChunk] = []
    for chunk, said in pieces:
        tied.append(_with(chunk, _part(frame, {**rest, **said}, None, first=not tied)))
        rest = {}
    return tied


def _part(frame: Mapping[str, Any], delta: Mapping[str, Any], finish_reason: Any, *, first: bool = False) -> RawEvent:
    said = dict(delta) if isinstance(delta, Mapping) else {}
    choice = {**frame["choices"][0], "delta": said, "finish_reason": finish_reason}
    ending = finish_reason is not None
    if not (first or delta is frame["choices"][0].get("delta")) and choice.get("logprobs"):
        choice["logprobs"] = None
    value = {name: value for name, value in frame.items() if ending or name != "usage"}
    return RawEvent(b"", None, {**value, "choices": [choice]})
