"""The message buffer of one chat.z.ai answer, which frames append to or rewrite from some place on."""

from core.providers.glm_web_split import Block, Part, Splitter
from schemas.stream import ReasoningDelta, TextDelta


class Buffer:
    """Turns each change of the buffer into what can still be sent of it: every part goes out once, in order.

    What went out cannot be called back. After an edit, a part goes on only if it now begins with all that was sent of
    it; while it does not (an edit changed or shortened it), nothing of that part goes out until it does so again.
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
    """What went out of one part, and how far what the part is now agrees with it."""

    __slots__ = ("_agreed", "_in_step", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._in_step = True
        self._agreed = 0

    def restart(self) -> None:
        """The part is told again from its start."""
        self._pieces = ["".join(self._pieces)]
        self._agreed = 0
        self._in_step = not self._pieces[0]

    def grow(self, piece: str) -> str:
        """The part goes on with `piece`: what of it is to be sent."""
        if self._in_step:
            self._pieces.append(piece)
            return piece
        return self._catch_up(piece)

    def _catch_up(self, piece: str) -> str:
        (sent,) = self._pieces
        known = min(len(piece), len(sent) - self._agreed)
        if self._agreed < 0 or not sent.startswith(piece[:known], self._agreed):
            self._agreed = -1
            return ""
        self._agreed += known
        self._in_step = self._agreed == len(sent)
        if known < len(piece):
            self._pieces.append(piece[known:])
        return piece[known:]
