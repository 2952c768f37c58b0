"""Takes think tags off reasoning that a provider sends in a field of its own."""

import re

from schemas.stream import ReasoningDelta

_MAX_BLANK = 256
_OPENINGS = ("<thinking>", "<think>")
_OPENING = re.compile(r"<think(?:ing)?>", re.IGNORECASE | re.ASCII)
_CLOSINGS = ("</thinking>", "</think>")
_CLOSING = re.compile(r"</think(?:ing)?>\s{0,16}\Z", re.IGNORECASE | re.ASCII)
_LONGEST_END = 32


class Wrapper:
    """Removes a `<think>` at the very start of the reasoning and a `</think>` at its very end, however cut.

    Tags between stay. Serves any number of stretches of reasoning, one after the other.
    """

    def __init__(self) -> None:
        self._begun = False
        self._held = ""

    def feed(self, chunk: ReasoningDelta) -> list[ReasoningDelta]:
        """What is certain after this piece; the same chunk when nothing was to be done."""
        if self._begun and not self._held and "<" not in chunk.text:
            return [chunk]
        text, self._held = self._held + chunk.text, ""
        if not self._begun:
            opening = _opening_end(text)
            self._begun = opening is not None
            if opening is None:
                self._held = text
                return []
            text = text[opening:]
        cut = _closing_at(text)
        self._held = text[cut:]
        if cut == len(chunk.text) and text == chunk.text:
            return [chunk]
        return [ReasoningDelta(text[:cut], chunk.hidden)] if cut else []

    def end(self) -> list[ReasoningDelta]:
        """What was held back when this stretch of reasoning ended."""
        held, self._held = self._held, ""
        self._begun = False
        return [ReasoningDelta(held)] if held and not _CLOSING.match(held) else []


def _opening_end(text: str) -> int | None:
    """Where an opening tag at the start of `text` ends, 0 without one, None while that cannot be known."""
    start = text.lstrip()
    blank = len(text) - len(start)
    if blank > _MAX_BLANK:
        return 0
    if opening := _OPENING.match(start):
        return blank + opening.end()
    return None if any(tag.startswith(start.lower()) for tag in _OPENINGS) else 0


def _closing_at(text: str) -> int:
    """Where a closing tag begins that ends `text`, whole or cut; the length of `text` when there is none."""
    at = text.rfind("<", max(0, len(text) - _LONGEST_END))
    if at < 0:
        return len(text)
    tail = text[at:]
    held = _CLOSING.match(tail) or any(tag.startswith(tail.lower()) for tag in _CLOSINGS)
    return at if held else len(text)
