"""Ties the chunks of an Anthropic-shaped answer to the events they came from."""

from typing import Any

from schemas.stream import ChatChunk, Passed, RawEvent, ReasoningDelta, Signature, Started, TextDelta, ToolCallDelta

CARRIERS = (Started, TextDelta, ReasoningDelta, Signature, ToolCallDelta)
SEARCHED = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
"""Blocks whose events are made anew in an answer that is searched; all others go on as they came."""


def carrying(chunk: ChatChunk, raw: RawEvent) -> ChatChunk:
    """The chunk with the event it came from."""
    if isinstance(chunk, CARRIERS):
        chunk.raw = raw
    return chunk


def tied(chunks: list[ChatChunk], raw: RawEvent) -> list[ChatChunk]:
    """The chunks of one event of a stream with that event, or with a part of it each if it says two things at once."""
    if len(chunks) == 1:
        return [carrying(chunks[0], raw)]
    thinking, signature = chunks
    block = {**raw.value["content_block"], "signature": ""}
    index = raw.value.get("index")
    delta = {"type": "signature_delta", "signature": raw.value["content_block"]["signature"]}
    signs = {"type": "content_block_delta", "index": index, "delta": delta}
    return [
        carrying(thinking, RawEvent(b"", raw.name, {**raw.value, "content_block": block})),
        carrying(signature, RawEvent(b"", "content_block_delta", signs)),
    ]


class Beside:
    """The events of an answer that is searched which hold none of its text: they go on as they came.

    Those are its beginning, the blocks of tools that run at the provider and all that are unknown here, and citations.
    """

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: set[Any] = set()

    def tied(self, kind: Any, chunks: list[ChatChunk], raw: RawEvent) -> list[ChatChunk]:
        """The chunks of one event to be searched, or the event itself; nothing for one that is made anew."""
        if chunks:
            return [carrying(chunk, raw) if isinstance(chunk, Started) else chunk for chunk in chunks]
        if kind == "content_block_start":
            return [Passed(raw, begins=True)] if self._opens(raw) else []
        if kind in ("content_block_delta", "content_block_stop"):
            return [Passed(raw)] if self._is_beside(raw) else []
        return [] if kind == "message_start" else [Passed(raw)]

    def _opens(self, raw: RawEvent) -> bool:
        block, index = raw.value.get("content_block"), raw.value.get("index")
        if not isinstance(block, dict) or not isinstance(index, int) or block.get("type") in SEARCHED:
            return False
        self._blocks.add(index)
        return True

    def _is_beside(self, raw: RawEvent) -> bool:
        index, delta = raw.value.get("index"), raw.value.get("delta")
        cites = isinstance(delta, dict) and delta.get("type") == "citations_delta"
        return cites or (isinstance(index, int) and index in self._blocks)
