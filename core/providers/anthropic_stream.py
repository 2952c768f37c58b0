"""Turns Anthropic-shaped answers, streamed or whole, into chunks.

(https://platform.claude.com/docs/en/build-with-claude/streaming)
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.errors import UpstreamError
from core.providers.anthropic_calls import ToolCalls
from core.providers.anthropic_raw import Beside, carrying, tied
from core.providers.anthropic_usage import Figures
from core.sse import SILENCE, Event
from schemas.stream import (
    ChatChunk,
    KeepAlive,
    Passed,
    RawEvent,
    ReasoningDelta,
    Signature,
    Started,
    TextDelta,
    ToolCallDelta,
)

Wire = Mapping[str, Any]

WHOLE = "body"
"""The name of the one event that an answer comes as which is no stream."""
CONTENT = (TextDelta, ReasoningDelta, Signature, ToolCallDelta)


class Answer:
    """What has been read of one answer so far.

    With `forwards` the chunks carry their events, and events without a meaning here become Passed; else these are left
    out, but for a client of the same dialect (`native`) whose answer is searched those that hold no text. `stop_reason`
    is the provider's word, `end` are the events that told it, and `ended` means that no more come.
    """

    __slots__ = (
        "_beside",
        "_forwards",
        "_native",
        "_started",
        "calls",
        "end",
        "ended",
        "figures",
        "model",
        "produced",
        "stop_reason",
        "stop_sequence",
    )

    def __init__(self, *, native: bool, forwards: bool) -> None:
        self._native = native
        self._forwards = forwards
        self._beside = Beside()
        self._started = False
        self.calls = ToolCalls()
        self.figures = Figures()
        self.produced = False
        self.end: list[RawEvent] = []
        self.ended = False
        self.model: str | None = None
        self.stop_reason: str | None = None
        self.stop_sequence: str | None = None

    def read(self, event: Event, value: Wire) -> list[ChatChunk]:
        """The chunks that one event makes, whose data is `value`; without a `type` it goes by its name."""
        kind = value.get("type") or event.name
        if kind == "ping":
            return [KeepAlive()]
        raw = RawEvent(event.data, event.name, value) if self._native else None
        if kind in ("message_delta", "message_stop"):
            self._note_end(value, raw)
            self.ended = kind == "message_stop"
            return []
        if kind == "message" or event.name == WHOLE:
            return self._whole(value, raw if event.name == WHOLE else None)
        chunks = self._chunks(kind, value)
        self.produced = self.produced or any(isinstance(chunk, CONTENT) for chunk in chunks)
        if raw is None:
            return chunks
        if not self._forwards:
            return self._beside.tied(kind, chunks, raw)
        return tied(chunks, raw) if chunks else [Passed(raw, begins=kind == "content_block_start")]

    def _chunks(self, kind: Any, value: Wire) -> list[ChatChunk]:
        if kind == "content_block_delta":
            return self._delta(value.get("index"), _mapping(value.get("delta")))
        if kind == "content_block_start":
            return self._block(value.get("index"), _mapping(value.get("content_block")))
        if kind == "content_block_stop":
            piece = self.calls.close(value.get("index"))
            # Anthropic's own clients take a call without arguments, others want an empty object.
            return [] if piece is None or self._forwards else [piece]
        return self._start(_mapping(value.get("message"))) if kind == "message_start" else []

    def _start(self, message: Wire) -> list[ChatChunk]:
        self.figures.begin(message.get("usage"))
        self.model = _text(message, "model") or self.model
        if self._started or self.produced:
            return []
        self._started = True
        return [Started(self.figures.prompt(), diagnostics=_diagnostics(message))]

    def _block(self, index: Any, block: Wire) -> list[ChatChunk]:
        """What the start of a block says, which may be all of it."""
        kind = block.get("type")
        if kind == "tool_use":
            return [self.calls.begin(index, block)]
        if kind == "redacted_thinking":
            data = _text(block, "data")
            return [Signature(data, redacted=True)] if data else []
        if kind == "thinking":
            return _thinking(_text(block, "thinking"), _text(block, "signature"))
        text = _text(block, "text") if kind == "text" else ""
        return [TextDelta(text)] if text else []

    def _delta(self, index: Any, delta: Wire) -> list[ChatChunk]:
        kind = delta.get("type")
        if kind == "text_delta":
            text = _text(delta, "text")
            return [TextDelta(text)] if text else []
        if kind == "input_json_delta":
            piece = self.calls.add(index, _text(delta, "partial_json"))
            return [] if piece is None else [piece]
        if kind == "thinking_delta":
            return _thinking(_text(delta, "thinking"), "")
        return _thinking("", _text(delta, "signature")) if kind == "signature_delta" else []

    def _whole(self, message: Wire, raw: RawEvent | None) -> list[ChatChunk]:
        """The chunks of an answer that is no stream, each of which carries all of it."""
        self.figures.add(message.get("usage"))
        self.model = _text(message, "model") or self.model
        chunks: list[ChatChunk] = [Started(self.figures.prompt(), diagnostics=_diagnostics(message))]
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            chunks += self._block(None, _mapping(block))
        self.produced = self.produced or len(chunks) > 1
        self._note_end({"delta": message}, raw)
        self.ended = True
        return [carrying(chunk, raw) for chunk in chunks] if raw is not None and self._forwards else chunks

    def _note_end(self, value: Wire, raw: RawEvent | None) -> None:
        delta = _mapping(value.get("delta"))
        self.stop_reason = _text(delta, "stop_reason") or self.stop_reason
        self.stop_sequence = _text(delta, "stop_sequence") or self.stop_sequence
        self.figures.add(value.get("usage"))
        if raw is not None:
            self.end.append(raw)


def until_done(events: Iterable[Event], answer: Answer) -> Iterator[Event]:
    """The events up to the one that ends the answer.

    Once a stop reason has come the answer is whole: silence, an error or a connection that fails is then its end.
    """
    try:
        for event in events:
            if answer.stop_reason is not None and (event is SILENCE or event.name == "error"):
                return
            answer.ended = event.data.startswith(b"[DONE]")
            if not answer.ended:
                yield event
            if answer.ended:
                return
    except UpstreamError:
        if answer.stop_reason is None:
            raise


def _thinking(text: str, signature: str) -> list[ChatChunk]:
    chunks: list[ChatChunk] = [ReasoningDelta(text)] if text else []
    return [*chunks, Signature(signature)] if signature else chunks


def _diagnostics(message: Wire) -> Wire | None:
    """What is said of the cache. Null says something too: that nothing has changed."""
    return {"diagnostics": message["diagnostics"]} if "diagnostics" in message else None


def _mapping(value: Any) -> Wire:
    return value if isinstance(value, dict) else {}


def _text(value: Wire, name: str) -> str:
    text = value.get(name)
    return text if isinstance(text, str) else ""
