"""Tells the parts of a chat.z.ai message buffer apart while it grows."""

# Over 120 lines because it is one state machine, whose states are read together.

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.providers import glm_web_tags as tags
from schemas.stream import ReasoningDelta, TextDelta


@dataclass(frozen=True, slots=True)
class Block:
    """A closed `<glm_block …>`: which one of the buffer it is, counted from 0, its opening tag, and what it holds."""

    order: int
    tag: str
    body: str


Part = TextDelta | ReasoningDelta | Block

SEAM_AFTER_DETAILS = 2


class Splitter:
    """Reads a buffer in pieces of any size, in linear time, and says what each piece adds to which part.

    The parts do not depend on where the pieces were cut. `<details type="reasoning">` blocks are reasoning, several of
    them joined by a newline: their tags, summary and `> ` marks are removed. They close at a `</details>` that stands
    at the start of a line, for the site marks every line of the thinking and so cannot quote one there. Up to two
    newlines between such a block and the answer are dropped. `</thinking>`, `<Full>` and `</Full>`, which old builds of
    the site left behind, are removed from the reasoning and from ahead of the answer, not from within it.
    """

    def __init__(self) -> None:
        self._state: _State = Splitter._answer
        self._tail = ""
        self._kind: type[TextDelta] | type[ReasoningDelta] = TextDelta
        self._pieces: list[str] = []
        self._parts: list[Part] = []
        self._answered = False
        self._leading = 0
        self._seam = 0
        self._reasoned = False
        self._joint = False
        self._newline = False
        self._blocks = 0
        self._block_tag = ""
        self._block_body: list[str] = []
        self._after_block: _State = Splitter._answer

    def feed(self, text: str) -> list[Part]:
        """What `text`, appended to the buffer, adds; a piece that may yet become a tag is held back."""
        if self._answered and self._state is Splitter._answer and not self._tail and "<" not in text:
            return [TextDelta(text)] if text else []
        text, at = self._tail + text, 0
        while at < len(text):
            state, before = self._state, at
            at = state(self, text, at)
            if at == before and self._state is state:
                break
        self._tail = text[at:]
        return self._take()

    def finish(self) -> list[Part]:
        """What was held back, once nothing more comes."""
        if self._state is Splitter._answer:
            self._text(self._tail)
            self._put(TextDelta, "" if self._answered else "\n" * (self._leading - self._seam))
        elif self._tail and self._state in (Splitter._line, Splitter._line_start):
            self._reason(self._tail)
        elif self._state is Splitter._block:
            self._give_up_block()
        self._tail = ""
        return self._take()

    # Each state takes the text and where to go on, and returns where it got to. One that stays where it is waits.

    def _answer(self, text: str, at: int) -> int:
        found = text.find("<", at)
        if found < 0:
            self._text(text[at:])
            return len(text)
        self._text(text[at:found])
        return self._answer_tag(text, found)

    def _answer_tag(self, text: str, at: int) -> int:
        if block := tags.BLOCK.match(text, at):
            return self._open_block(block, Splitter._answer)
        if details := tags.DETAILS.match(text, at):
            self._state, self._joint, self._newline = Splitter._opened, self._reasoned, False
            return details.end()
        if not self._answered and (leftover := tags.LEFTOVER.match(text, at)):
            return leftover.end()
        if tags.may_become(text, at, tags.ANSWER_TAGS if self._answered else tags.FIRST_TAGS):
            return at
        self._text("<")
        return at + 1

    def _opened(self, text: str, at: int) -> int:
        if text[at].isspace():
            return at + 1
        if summary := tags.SUMMARY.match(text, at):
            self._state = Splitter._summary
            return summary.end()
        if not tags.may_become(text, at, tags.SUMMARY_TAGS):
            self._state = Splitter._line_start
        return at

    def _summary(self, text: str, at: int) -> int:
        end = tags.SUMMARY_END.search(text, at)
        if end is None:
            return max(at, len(text) - tags.LONGEST_END)
        self._state = Splitter._summarised
        return end.end()

    def _summarised(self, text: str, at: int) -> int:
        self._state = Splitter._line_start
        return at + 1 if text[at] == "\n" else at

    def _line_start(self, text: str, at: int) -> int:
        if text[at] == "<":
            if end := tags.DETAILS_END.match(text, at):
                self._state, self._answered, self._leading = Splitter._answer, False, 0
                self._seam = SEAM_AFTER_DETAILS
                return end.end()
            if block := tags.BLOCK.match(text, at):
                return self._open_block(block, Splitter._line_start)
            if tags.may_become(text, at, tags.LINE_TAGS):
                return at
        self._reason("")
        marked = text[at] == ">"
        self._state = Splitter._mark if marked else Splitter._line
        return at + marked

    def _mark(self, text: str, at: int) -> int:
        self._state = Splitter._line
        return at + (text[at] == " ")

    def _line(self, text: str, at: int) -> int:
        stop = tags.LINE_STOP.search(text, at)
        found = stop.start() if stop else len(text)
        self._reason(text[at:found])
        if stop is None:
            return found
        if text[found] == "\n":
            self._state, self._newline = Splitter._line_start, True
            return found + 1
        if leftover := tags.LEFTOVER.match(text, found):
            return leftover.end()
        if tags.may_become(text, found, tags.LEFTOVERS):
            return found
        self._reason("<")
        return found + 1

    def _block(self, text: str, at: int) -> int:
        end = text.find(tags.BLOCK_END, at)
        if end < 0:
            keep = max(at, len(text) - len(tags.BLOCK_END) + 1)
            self._block_body.append(text[at:keep])
            return keep
        self._block_body.append(text[at:end])
        self._close_block()
        return end + len(tags.BLOCK_END)

    def _open_block(self, tag: re.Match[str], after: "_State") -> int:
        self._state, self._after_block = Splitter._block, after
        self._block_tag = tag.group()
        self._block_body.clear()
        return tag.end()

    def _close_block(self) -> None:
        self._flush()
        self._parts.append(Block(self._blocks, self._block_tag, "".join(self._block_body)))
        self._blocks += 1
        self._state = self._after_block

    def _give_up_block(self) -> None:
        """A block that never closed: cut off if it holds an object, else the answer only spoke of such tags."""
        self._block_body.append(self._tail)
        body = "".join(self._block_body)
        if self._after_block is Splitter._answer and not body.lstrip().startswith("{"):
            self._text(self._block_tag + body)

    def _text(self, text: str) -> None:
        if text and not self._answered:
            rest = text.lstrip("\n")
            self._leading += len(text) - len(rest)
            self._answered = bool(rest)
            text = "\n" * (self._leading - self._seam) + rest if rest else ""
        self._put(TextDelta, text)

    def _reason(self, text: str) -> None:
        """Add to the reasoning, the newline first that was held back in case the block ended with it."""
        if self._newline:
            self._newline, text = False, "\n" + text
        if text and self._joint:
            self._joint, text = False, "\n" + text
        self._reasoned = self._reasoned or bool(text)
        self._put(ReasoningDelta, text)

    def _put(self, kind: type[TextDelta] | type[ReasoningDelta], text: str) -> None:
        if not text:
            return
        if kind is not self._kind:
            self._flush()
            self._kind = kind
        self._pieces.append(text)

    def _flush(self) -> None:
        if self._pieces:
            self._parts.append(self._kind("".join(self._pieces)))
            self._pieces.clear()

    def _take(self) -> list[Part]:
        self._flush()
        parts, self._parts = self._parts, []
        return parts


_State = Callable[[Splitter, str, int], int]
