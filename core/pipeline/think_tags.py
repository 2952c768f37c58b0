"""Tells thinking from answer in text that carries think tags."""

from enum import Enum, auto

from core.pipeline.think_details import DetailsBody
from core.pipeline.think_look import ANY, BOXES, DETAILS_END, THINK_END, Look
from schemas.stream import ReasoningDelta, TextDelta

MAX_BLANK = 256
"""How much blank text may be held back while it is open whether a think block follows."""


class _Where(Enum):
    BEFORE = auto()
    BLOCK = auto()
    ANSWER = auto()


class ThinkTags:
    """A scanner over one answer's text that may be cut anywhere and says the same for every cut, in linear time.

    Blocks of `<think>`, `<thinking>` and `<details type="reasoning">` are reasoning as long as nothing but blanks
    stands before them: at the start, after another block, after a tool call. The first closing tag ends a block; one
    that never comes makes everything reasoning. Blocks are joined by a newline, blank ones left out, and up to two
    newlines behind one are dropped. Once the answer has begun, tags in it are text, with one exception: the first
    `</think>` of an answer in which no thinking was seen is dropped unless it stands in code or quotes. The marks
    `<|begin_of_box|>` and `<|end_of_box|>` are always dropped.

    `opened` says that the prompt's template has opened the block already (self-hosted GLM, DeepSeek-R1, Qwen3): the
    text begins as reasoning.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._where = _Where.BLOCK if opened else _Where.BEFORE
        self._implicit = opened
        self._details: DetailsBody | None = None
        self._held = ""
        self._blank: str | None = ""
        self._droppable = 0
        self._reasoned = False
        self._may_orphan = not opened
        self._in_code = False
        self._last = ""
        self._kind: type[TextDelta | ReasoningDelta] = TextDelta
        self._pieces: list[str] = []
        self._out: list[TextDelta | ReasoningDelta] = []

    def unchanged(self, text: str) -> bool:
        """True when `text` is answer as it stands and need not be fed."""
        if self._where is not _Where.ANSWER or self._held or "<" in text:
            return False
        if self._may_orphan:
            self._notice(text)
        return True

    def feed(self, text: str) -> list[TextDelta | ReasoningDelta]:
        """What is certain after this piece of text."""
        text = self._held + text
        at = 0
        while tag := (look := self._look()).whole.search(text, at):
            self._plain(text[at : tag.start()])
            at = tag.start()
            if self._look() is look:
                self._tag(tag.lastgroup, tag.group())
                at = tag.end()
        cut = look.cut_at(text, at)
        self._plain(text[at:cut])
        self._held = text[cut:]
        return self._taken()

    def end(self) -> list[TextDelta | ReasoningDelta]:
        """What was held back when the text ended, or a tool call broke it; a block that is still open ends here."""
        self._release()
        if self._where is _Where.BLOCK:
            self._leave()
        elif self._where is _Where.BEFORE and self._blank:
            self._emit(TextDelta, self._blank)
        self._await_block(droppable=0)
        self._in_code = False
        return self._taken()

    def interrupt(self) -> list[TextDelta | ReasoningDelta]:
        """What was held back when reasoning came by a field of its own; blanks ahead of that are dropped."""
        self._release()
        if self._where is _Where.BEFORE:
            self._blank = ""
        self._reasoned = True
        self._may_orphan = False
        return self._taken()

    def _release(self) -> None:
        held, self._held = self._held, ""
        self._plain(held)

    def _look(self) -> Look:
        if self._where is _Where.BEFORE:
            return ANY
        if self._where is _Where.ANSWER:
            return ANY if self._may_orphan else BOXES
        if self._details is not None:
            return DETAILS_END
        return ANY if self._implicit and self._blank is not None else THINK_END

    def _tag(self, kind: str | None, text: str) -> None:
        if kind == "box":
            return
        if self._where is _Where.ANSWER:
            self._tag_in_answer(kind, text)
        elif kind != "close":
            self._enter(details=kind == "details")
        elif self._where is _Where.BLOCK:
            self._leave()
        else:
            self._may_orphan = False
            self._await_block(droppable=2)

    def _tag_in_answer(self, kind: str | None, text: str) -> None:
        orphan = kind == "close" and not self._in_code and self._last not in ("'", '"')
        if orphan or kind == "open":
            self._may_orphan = False
        if not orphan:
            self._answer(text)

    def _enter(self, *, details: bool) -> None:
        self._where = _Where.BLOCK
        self._details = DetailsBody() if details else None
        self._blank = ""
        self._may_orphan = self._implicit = False

    def _leave(self) -> None:
        if self._details is not None:
            self._think(self._details.end())
        self._await_block(droppable=2)

    def _await_block(self, droppable: int) -> None:
        self._where = _Where.BEFORE
        self._details = None
        self._blank = ""
        self._droppable = droppable

    def _plain(self, text: str) -> None:
        """Take text that holds no tag."""
        if not text:
            return
        if self._where is _Where.ANSWER:
            self._answer(text)
        elif self._where is _Where.BEFORE:
            self._before(text)
        else:
            self._think(text if self._details is None else self._details.feed(text))

    def _before(self, text: str) -> None:
        if self._droppable:
            rest = text.removeprefix("\n") if self._droppable == 1 else text.removeprefix("\n").removeprefix("\n")
            self._droppable = 0 if rest else self._droppable - len(text)
            text = rest
        if started := self._unless_blank(text):
            self._where = _Where.ANSWER
            self._answer(started)

    def _think(self, text: str) -> None:
        if self._blank is not None:
            text = self._unless_blank(text)
            if text and self._reasoned:
                text = "\n" + text
        if text:
            self._blank = None
            self._reasoned = True
            self._emit(ReasoningDelta, text)

    def _unless_blank(self, text: str) -> str:
        """Nothing while only blanks have come, which are held back; else all that has come."""
        text = (self._blank or "") + text
        held = len(text) <= MAX_BLANK and not text.strip()
        self._blank = text if held else ""
        return "" if held else text

    def _answer(self, text: str) -> None:
        if self._may_orphan:
            self._notice(text)
        self._emit(TextDelta, text)

    def _notice(self, text: str) -> None:
        """Remember whether the answer stands in code; an odd number of backticks means so, inline or fenced."""
        self._in_code ^= bool(text.count("`") & 1)
        self._last = text[-1]

    def _emit(self, kind: type[TextDelta | ReasoningDelta], text: str) -> None:
        if kind is not self._kind:
            self._join()
            self._kind = kind
        self._pieces.append(text)

    def _join(self) -> None:
        if self._pieces:
            self._out.append(self._kind("".join(self._pieces)))
            self._pieces.clear()

    def _taken(self) -> list[TextDelta | ReasoningDelta]:
        self._join()
        out, self._out = self._out, []
        return out
