"""Holds every provider to the grammar of a stream."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

from core.errors import UpstreamBroken
from core.pipeline.base import Stage, is_forwarded
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk, Finished, ReasoningDelta, TextDelta, ToolCallDelta


class ResponseValidation(Stage):
    """Passes on well-formed streams only, mending what can be mended.

    Empty pieces are left out, a tool call has its id and name in its first piece and nowhere else, and the finish
    reason is `tool_calls` exactly when a model that came to its own end called a tool. Nothing after Finished is read.
    Raises UpstreamBroken when Finished never comes, or when a tool call has no name.
    """

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        begun: set[int] = set()
        for chunk in chunks:
            if isinstance(chunk, (TextDelta, ReasoningDelta)):
                if chunk.text:
                    yield chunk
            elif isinstance(chunk, ToolCallDelta):
                if chunk.index not in begun:
                    begun.add(chunk.index)
                    yield _first_piece(chunk)
                elif chunk.arguments or chunk.raw is not None:
                    yield _later_piece(chunk)
            elif isinstance(chunk, Finished):
                yield chunk if is_forwarded(request, chunk) else _mended(chunk, called=bool(begun))
                return
            else:
                yield chunk
        raise UpstreamBroken("the provider's answer ended without saying that it ended")


def _first_piece(piece: ToolCallDelta) -> ToolCallDelta:
    if not piece.name:
        raise UpstreamBroken("the provider sent a tool call without a name")
    return piece if piece.id else replace(piece, id=f"call_{uuid4().hex[:24]}", raw=None)


def _later_piece(piece: ToolCallDelta) -> ToolCallDelta:
    if piece.id is None and piece.name is None:
        return piece
    return ToolCallDelta(piece.index, arguments=piece.arguments)


def _mended(finished: Finished, *, called: bool) -> Finished:
    if finished.reason == "stop" and called:
        return replace(finished, reason="tool_calls", raw=())
    if finished.reason == "tool_calls" and not called:
        return replace(finished, reason="stop", raw=())
    return finished
