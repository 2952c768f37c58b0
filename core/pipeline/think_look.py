"""The think tags and box marks that models write, with their unfinished beginnings."""

import re
from dataclasses import dataclass

OPENING = "<think>"
CLOSING = "</think>\n\n"
"""The tags this gateway writes itself. Each goes out as a chunk whose text is this very object, so that a later stage
can tell it by identity from the same letters written by a model."""

_LONGEST_TAG = 280

_OPEN = r"(?P<open>think(?:ing)?(?:\s[^<>]{0,255})?(?<!/)>)"
_DETAILS = r"(?P<details>details(?=\s[^<>]{0,255}\btype=[\"']?reasoning\b)\s[^<>]{0,255}>)"
_CLOSE = r"(?P<close>/think(?:ing)?\s{0,8}>)"
_CLOSE_DETAILS = r"(?P<close>/details\s{0,8}>)"
_BOX = r"(?P<box>\|(?:begin|end)_of_box\|>)"
_BOX_WORDS = ("<|begin_of_box|>", "<|end_of_box|>")


@dataclass(frozen=True, slots=True)
class Look:
    """What to look for: whole tags, and the beginnings of tags that may still become whole."""

    whole: re.Pattern[str]
    words: tuple[str, ...]
    begun: re.Pattern[str]

    def cut_at(self, text: str, start: int) -> int:
        """Where the tag begins that the end of `text` may have cut; the length of `text` when there is none."""
        at = text.rfind("<", max(start, len(text) - _LONGEST_TAG))
        if at < 0:
            return len(text)
        tail = text[at:]
        return at if any(word.startswith(tail.lower()) for word in self.words) or self.begun.match(tail) else len(text)


def _look(kinds: tuple[str, ...], words: tuple[str, ...], begun: str) -> Look:
    flags = re.IGNORECASE | re.ASCII
    return Look(re.compile(f"<(?:{'|'.join((*kinds, _BOX))})", flags), (*words, *_BOX_WORDS), re.compile(begun, flags))


ANY = _look(
    (_OPEN, _DETAILS, _CLOSE),
    ("<thinking", "<details", "</thinking"),
    r"<(?:(?:think(?:ing)?|details)\s[^<>]{0,255}|/think(?:ing)?\s{0,8})\Z",
)
THINK_END = _look((_CLOSE,), ("</thinking",), r"</think(?:ing)?\s{0,8}\Z")
DETAILS_END = _look((_CLOSE_DETAILS,), ("</details",), r"</details\s{0,8}\Z")
BOXES = _look((), (), r"(?!)")
