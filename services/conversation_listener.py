"""Hears what a model says, for the conversation it is said in."""

from collections.abc import Iterator

from schemas.chat import ThinkingBlock, ToolCall
from schemas.conversation import Status, StoredItem
from schemas.stream import ChatChunk, ReasoningDelta, Signature, TextDelta, ToolCallDelta
from services.conversation_items import answer_items


class AnswerListener:
    """Passes an answer's chunks on, and knows at any time what has been said: text, thinking and calls apart."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._unsigned: list[str] = []
        self._thinking: list[ThinkingBlock] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def hear(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The same chunks."""
        for chunk in chunks:
            if isinstance(chunk, TextDelta):
                self._text.append(chunk.text)
            elif isinstance(chunk, ReasoningDelta):
                self._unsigned.append(chunk.text)
            elif isinstance(chunk, Signature):
                self._sign(chunk)
            elif isinstance(chunk, ToolCallDelta):
                self._calls.setdefault(chunk.index, []).append(chunk)
            yield chunk

    def items(self, status: Status) -> list[StoredItem]:
        """What has been said so far; nothing when nothing has."""
        calls = [_whole(self._calls[index]) for index in sorted(self._calls)]
        unsigned = "".join(self._unsigned)
        thinking = [*self._thinking, ThinkingBlock(unsigned)] if unsigned else self._thinking
        return answer_items(thinking, "".join(self._text), calls, status)

    def _sign(self, signature: Signature) -> None:
        text = "".join(self._unsigned)
        self._unsigned.clear()
        if signature.redacted:
            if text:
                self._thinking.append(ThinkingBlock(text))
            self._thinking.append(ThinkingBlock(data=signature.value))
        else:
            self._thinking.append(ThinkingBlock(text, signature.value))


def _whole(pieces: list[ToolCallDelta]) -> ToolCall:
    first = pieces[0]
    return ToolCall(first.id or "", first.name or "", "".join(piece.arguments for piece in pieces))
