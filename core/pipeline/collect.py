"""Folds a stream of chunks into one whole answer."""

from collections.abc import Iterable

from core.errors import UpstreamBroken
from schemas.answer import Answer
from schemas.chat import ThinkingBlock, ToolCall
from schemas.stream import (
    ChatChunk,
    Finished,
    KeepAlive,
    RawEvent,
    ReasoningDelta,
    Signature,
    TextDelta,
    ToolCallDelta,
)


def collect(chunks: Iterable[ChatChunk]) -> Answer:
    """The answer that the chunks up to Finished make. Raises what `chunks` raises, and UpstreamBroken without Finished.

    Tool calls stand in the order of their indexes. Hidden thinking is left out.
    """
    fold = _Fold()
    for chunk in chunks:
        if isinstance(chunk, Finished):
            return fold.end(chunk)
        fold.add(chunk)
    raise UpstreamBroken("the answer ended without saying that it ended")


class _Fold:
    """What has been said so far, and the events that said it."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._unsigned: list[str] = []
        self._thinking: list[ThinkingBlock] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}
        self._sources: set[RawEvent | None] = set()

    def add(self, chunk: ChatChunk) -> None:
        if isinstance(chunk, (KeepAlive, Finished)):
            return
        self._sources.add(chunk.raw)
        if isinstance(chunk, TextDelta):
            self._text.append(chunk.text)
        elif isinstance(chunk, ReasoningDelta):
            if not chunk.hidden:
                self._reasoning.append(chunk.text)
                self._unsigned.append(chunk.text)
        elif isinstance(chunk, Signature):
            self._sign(chunk)
        elif isinstance(chunk, ToolCallDelta):
            self._calls.setdefault(chunk.index, []).append(chunk)

    def end(self, end: Finished) -> Answer:
        if self._unsigned:
            self._thinking.append(ThinkingBlock("".join(self._unsigned)))
        whole = end.raw[0] if len(end.raw) == 1 and end.raw[0].name == "body" else None
        return Answer(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=tuple(_whole(self._calls[index]) for index in sorted(self._calls)),
            reason=end.reason,
            usage=end.usage,
            thinking=tuple(self._thinking),
            stop_sequence=end.stop_sequence,
            native=None if whole is None else whole.value,
            retold=whole is not None and not self._sources <= {whole},
        )

    def _sign(self, signature: Signature) -> None:
        text = "".join(self._unsigned)
        if signature.redacted:
            if text:
                self._thinking.append(ThinkingBlock(text))
            self._thinking.append(ThinkingBlock(data=signature.value))
        else:
            self._thinking.append(ThinkingBlock(text, signature.value))
        self._unsigned.clear()


def _whole(pieces: list[ToolCallDelta]) -> ToolCall:
    first = pieces[0]
    return ToolCall(first.id or "", first.name or "", "".join(piece.arguments for piece in pieces), first.signature)
