"""The message buffer of one chat.z.ai answer, which frames append to or rewrite from some place on."""

from core.providers.glm_web_split import Block, Part, Splitter
from schemas.stream import ReasoningDelta, TextDelta


class Buffer:
    """Turns each change of the buffer into what can still be sent of it: every part goes out once, in order.

    What went out cannot be called back. After an edit, a part goes on behind as many characters as were sent of it:
    what the edit changed among those keeps its old form for the client, and what comes after them is not lost.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._splitter = Splitter()
        self._answer = _Sent()
        self._reasoning = _Sent()

    def append(self, text: str) -> list[Part]:
        """Add `text` at the end. Linear over the whole answer."""
        self._pieces.append(text)
        self._length += len(text)
        return self._unsent(self._splitter.feed(text))

    def replace(self, index: int, text: str) -> list[Part]:
        """Put `text` in the place of all from code point `index` on; an index past the end is the end.

        That edits replace the rest, and do not insert, is seen in recordings of the site. Reads the buffer anew, in
        time linear in its length, unless the edit does nothing but add to it. Blocks are given again.
        """
        if index >= self._length:
            return self.append(text)
        whole = "".join(self._pieces)[: max(index, 0)] + text
        self._pieces, self._length = [whole], len(whole)
        self._splitter = Splitter()
        parts = self._splitter.feed(whole)
        reasoning = "".join(part.text for part in parts if isinstance(part, ReasoningDelta))
        answer = "".join(part.text for part in parts if isinstance(part, TextDelta))
        self._reasoning.restart()
        self._answer.restart()
        blocks = [part for part in parts if isinstance(part, Block)]
        return self._unsent([ReasoningDelta(reasoning), TextDelta(answer), *blocks])

    def finish(self) -> list[Part]:
        """What was held back, once nothing more comes."""
        return self._unsent(self._splitter.finish())

    def _unsent(self, parts: list[Part]) -> list[Part]:
        return [part for part in parts if isinstance(part, Block) or self._send(part)]

    def _send(self, part: TextDelta | ReasoningDelta) -> bool:
        """Cut what was sent before off the part; False when nothing is left."""
        sent = self._answer if isinstance(part, TextDelta) else self._reasoning
        part.text = sent.grow(part.text)
        return bool(part.text)


class _Sent:
    """How much of one part went out, and how much of it the buffer has told since it was last read anew."""

    __slots__ = ("_sent", "_told")

    def __init__(self) -> None:
        self._sent = self._told = 0

    def restart(self) -> None:
        """The part is told again from its start."""
        self._told = 0

    def grow(self, piece: str) -> str:
        """The part goes on with `piece`: what of it lies beyond all that was sent."""
        known = min(len(piece), self._sent - self._told)
        self._told += len(piece)
        self._sent += len(piece) - known
        return piece[known:]
