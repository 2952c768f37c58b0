"""Folds a stream of chunks into one whole answer."""

from collections.abc import Iterable

from core.errors import UpstreamBroken
from schemas.answer import Answer
from schemas.chat import ToolCall
from schemas.stream import ChatChunk, Finished, ReasoningDelta, TextDelta, ToolCallDelta


def collect(chunks: Iterable[ChatChunk]) -> Answer:
    """The answer that the chunks up to Finished make. Raises what `chunks` raises, and UpstreamBroken without Finished.

    Tool calls stand in the order of their indexes. Hidden thinking is left out.
    """
    text: list[str] = []
    reasoning: list[str] = []
    calls: dict[int, list[ToolCallDelta]] = {}
    for chunk in chunks:
        if isinstance(chunk, TextDelta):
            text.append(chunk.text)
        elif isinstance(chunk, ReasoningDelta):
            if not chunk.hidden:
                reasoning.append(chunk.text)
        elif isinstance(chunk, ToolCallDelta):
            calls.setdefault(chunk.index, []).append(chunk)
        elif isinstance(chunk, Finished):
            whole = tuple(_whole(calls[index]) for index in sorted(calls))
            return Answer("".join(text), "".join(reasoning), whole, chunk.reason, chunk.usage)
    raise UpstreamBroken("the answer ended without saying that it ended")


def _whole(pieces: list[ToolCallDelta]) -> ToolCall:
    first = pieces[0]
    return ToolCall(first.id or "", first.name or "", "".join(piece.arguments for piece in pieces))
