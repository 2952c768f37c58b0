"""Shows thinking the way the client wants it."""

from collections.abc import Iterator

from core.pipeline.base import WITHOUT_CONTENT, Stage
from core.pipeline.think_look import CLOSING, OPENING
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk, ReasoningDelta, Signature, TextDelta


class Format(Stage):
    """Renders thinking by `thinking_mode`.

    `field` and `blocks` leave it, `hide` marks it hidden, `tags` makes it visible text: each stretch of thinking stands
    in tags of its own, which are closed even if no answer follows.
    """

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        if request.thinking_mode == "tags":
            return _tagged(chunks)
        return _hidden(chunks) if request.thinking_mode == "hide" else chunks


def _tagged(chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
    thinking = False
    for chunk in chunks:
        if isinstance(chunk, ReasoningDelta):
            if not thinking:
                thinking = True
                yield TextDelta(OPENING)
            yield TextDelta(chunk.text)
            continue
        if thinking and not isinstance(chunk, (*WITHOUT_CONTENT, Signature)):
            thinking = False
            yield TextDelta(CLOSING)
        yield chunk


def _hidden(chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
    for chunk in chunks:
        yield ReasoningDelta(chunk.text, hidden=True) if isinstance(chunk, ReasoningDelta) else chunk
