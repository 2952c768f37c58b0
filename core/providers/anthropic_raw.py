"""Ties the chunks of an Anthropic-shaped answer to the events they came from."""

from schemas.stream import ChatChunk, RawEvent, ReasoningDelta, Signature, Started, TextDelta, ToolCallDelta

CARRIERS = (Started, TextDelta, ReasoningDelta, Signature, ToolCallDelta)


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
