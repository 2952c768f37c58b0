"""Tells the model's thinking from its answer, however the provider mixed them."""

from collections.abc import Iterator
from dataclasses import replace

from core.pipeline.base import WITHOUT_CONTENT, Stage, begins_block, is_forwarded
from core.pipeline.think_tags import ThinkTags
from core.pipeline.think_wrapper import Wrapper
from schemas.chat import ChatRequest, Message, TextPart
from schemas.stream import ChatChunk, ReasoningDelta, TextDelta

_BLOCK_STARTS = ("<think", "<details")


class Thinking(Stage):
    """Makes ReasoningDelta of text in think tags, so that TextDelta has them only where the answer quotes them."""

    def prepare(self, request: ChatRequest) -> ChatRequest:
        """Take think blocks off the start of earlier answers, so that the same history is always the same prompt.

        They are dropped, or kept as the message's reasoning when the client asked for preserved thinking.
        """
        keep = request.thinking.clear is False
        messages = tuple(_without_block(message, keep=keep) for message in request.messages)
        changed = any(new is not old for new, old in zip(messages, request.messages, strict=True))
        return replace(request, messages=messages) if changed else request

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        tags = ThinkTags()
        wrapper = Wrapper()
        in_field = False
        for chunk in chunks:
            if not begins_block(chunk) and (isinstance(chunk, WITHOUT_CONTENT) or is_forwarded(request, chunk)):
                yield chunk
            elif isinstance(chunk, TextDelta):
                if in_field:
                    in_field = False
                    yield from wrapper.end()
                yield from [chunk] if tags.unchanged(chunk.text) else _same(chunk, tags.feed(chunk.text))
            elif isinstance(chunk, ReasoningDelta):
                if not in_field:
                    in_field = True
                    yield from tags.interrupt()
                yield from wrapper.feed(chunk)
            else:
                in_field = False
                yield from (*wrapper.end(), *tags.end(), chunk)


def _same(chunk: TextDelta, pieces: list[TextDelta | ReasoningDelta]) -> list[TextDelta | ReasoningDelta]:
    """The pieces, or the chunk itself, with the event it came from, when they say no more and no less."""
    return [chunk] if len(pieces) == 1 and pieces[0] == TextDelta(chunk.text) else pieces


def _without_block(message: Message, *, keep: bool) -> Message:
    """The message without the think blocks its first part begins with; itself when there are none."""
    if message.role != "assistant" or not message.parts:
        return message
    first, *others = message.parts
    if not isinstance(first, TextPart) or not first.text.lstrip()[:10].lower().startswith(_BLOCK_STARTS):
        return message
    text, reasoning = _split(first.text)
    if text == first.text:
        return message
    parts = (TextPart(text), *others) if text else tuple(others)
    kept = message.reasoning or (reasoning if keep and reasoning else None)
    return replace(message, parts=parts, reasoning=kept)


def _split(text: str) -> tuple[str, str]:
    tags = ThinkTags()
    pieces = [*tags.feed(text), *tags.end()]
    answer = "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
    return answer, "".join(piece.text for piece in pieces if isinstance(piece, ReasoningDelta))
