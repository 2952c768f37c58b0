"""A streamed answer as Anthropic's events."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.dialects.anthropic_messages_answer import (
    begun_usage,
    message_object,
    stop_fields,
    thinking_display,
    usage_object,
)
from api.dialects.anthropic_messages_blocks import Blocks
from api.dialects.anthropic_messages_order import Order
from api.dialects.base import Reply
from core import sse
from schemas.codec import dumps
from schemas.stream import ChatChunk, Finished, KeepAlive, Passed, RawEvent, Started
from schemas.usage import Usage

PING = sse.encode(b'{"type":"ping"}', "ping")
STOP = sse.encode(b'{"type":"message_stop"}', "message_stop")
BLOCK_EVENTS = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})
WHOLE = "body"
"""The name of an event that is a whole answer, and so no event of a stream."""


class Frames:
    """Forwards the events of a provider that speaks the same dialect, and writes those of any other."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._usage: Usage | None = None
        self._begun = False
        self._blocks = Blocks(thinking_display(reply))
        self._order = Order()

    def of(self, chunks: Iterable[ChatChunk]) -> Iterator[bytes]:
        """The events for `chunks`, from `message_start` to `message_stop`; all that one chunk says is one write."""
        for chunk in chunks:
            frame = self._frame(chunk)
            if frame:
                yield frame
            if isinstance(chunk, Finished):
                return

    def _frame(self, chunk: ChatChunk) -> bytes:
        if isinstance(chunk, KeepAlive):
            # Nothing may come before the message has begun, but a comment is no event.
            return PING if self._begun else sse.KEEP_ALIVE
        if isinstance(chunk, Finished):
            return self._end(chunk)
        if isinstance(chunk, Started):
            self._usage = chunk.usage
        if chunk.raw is not None and chunk.raw.name != WHOLE:
            return self._forward(chunk.raw)
        if isinstance(chunk, (Passed, Started)):
            # The beginning is said with the first content, in case the provider still sends its own.
            return b""
        said = b"".join(map(self._blocks.write, self._order.feed(chunk)))
        return self._start() + said if said else b""

    def _start(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = message_object(self._reply, begun_usage(self._usage))
        return sse.encode(dumps({"type": "message_start", "message": message}), "message_start")

    def _forward(self, raw: RawEvent) -> bytes:
        """The event as it came, but for the model's name, and a usage that the provider tells at the end only."""
        kind = raw.value.get("type") or raw.name
        if not self._reply.request.verbatim and kind in BLOCK_EVENTS:
            return self._beside(str(kind), raw.value)
        data = raw.data or dumps(raw.value)
        if kind == "message_start":
            if self._begun:
                return b""
            self._begun = True
            data = self._edited(raw.value) or data
        self._blocks.follow(kind, raw.value)
        return sse.encode(data.replace(b"\n", b"\ndata: "), raw.name or str(kind))

    def _beside(self, kind: str, value: Mapping[str, Any]) -> bytes:
        """An event of a block that is not searched, between those that are written here."""
        lead, placed = self._blocks.placed(kind, value)
        if placed is None:
            return lead
        self._blocks.follow(kind, placed)
        return self._start() + lead + sse.encode(dumps(placed), kind)

    def _edited(self, event: Mapping[str, Any]) -> bytes | None:
        """The beginning under the name that was asked for; GLM's host counts the prompt as 0 there, which clients would
        take for the size of their context."""
        message, model = event.get("message"), self._reply.request.model
        estimated = self._usage is not None and self._usage.source == "estimated"
        if not isinstance(message, Mapping) or (message.get("model") == model and not estimated):
            return None
        edits: dict[str, Any] = {"model": model}
        if estimated:
            told = message.get("usage")
            edits["usage"] = {**(told if isinstance(told, Mapping) else {}), **begun_usage(self._usage)}
        return dumps({**event, "message": {**message, **edits}})

    def _end(self, end: Finished) -> bytes:
        waited = b"".join(map(self._blocks.write, self._order.end()))
        content = self._start() + waited + self._blocks.close()
        events = [raw for raw in end.raw if raw.name != WHOLE]
        if not events:
            return content + self._told(end) + STOP
        stopped = any("message_stop" in (raw.name, raw.value.get("type")) for raw in events)
        return content + b"".join(map(self._forward, events)) + (b"" if stopped else STOP)

    def _told(self, end: Finished) -> bytes:
        usage = usage_object(end.usage) if end.usage is not None else {"output_tokens": 0}
        event = {"type": "message_delta", "delta": stop_fields(end.reason, end.stop_sequence), "usage": usage}
        return sse.encode(dumps(event), "message_delta")
