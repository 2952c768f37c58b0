"""The marks chat.z.ai writes into its message buffer, and whether a piece of text may yet become one."""

import re
from collections.abc import Sequence

_FLAGS = re.IGNORECASE | re.ASCII
_INSIDE = r"[^<>]{0,2000}"
_BLANK = r"\s{0,20}"
# Tags are bounded, so that a lone "<details" in prose is not held back for ever; a longer one is none, cut or whole.

BLOCK = re.compile(rf"<glm_block\b{_INSIDE}>", _FLAGS)
BLOCK_END = "</glm_block>"
DETAILS = re.compile(rf"<details\b(?={_INSIDE}>)[^<>]*\btype=[\"']reasoning[\"'][^<>]*>", _FLAGS)
DETAILS_END = re.compile(rf"</details{_BLANK}>", _FLAGS)
SUMMARY = re.compile(rf"<summary\b{_INSIDE}>", _FLAGS)
SUMMARY_END = re.compile(rf"</summary{_BLANK}>", _FLAGS)
LEFTOVER = re.compile(r"</thinking>|</?full>", _FLAGS)
LEFTOVERS = ("</thinking>", "<full>", "</full>")
LINE_STOP = re.compile(r"[\n<]")
LONGEST = max(map(len, ("<glm_block", "</summary>", *LEFTOVERS)))
LONGEST_END = len("</summary>") + 20
"""How much of a text may be the beginning of a `SUMMARY_END`."""

ANSWER_TAGS = ("<details", "<glm_block")
FIRST_TAGS = (*ANSWER_TAGS, *LEFTOVERS)
LINE_TAGS = ("</details", "<glm_block")
SUMMARY_TAGS = ("<summary",)
"""Where each state of the buffer has to wait for more, since what stands there may become a tag."""

_OPEN = re.compile(rf"<(details|glm_block|summary)\b{_INSIDE}\Z|</(details){_BLANK}\Z", _FLAGS)


def may_become(text: str, at: int, tags: Sequence[str]) -> bool:
    """True when all that stands from `at` on is the beginning of one of the tags.

    What is one has been one letter by letter, so that it does not matter how the text was cut.
    """
    if len(text) - at < LONGEST and any(tag.startswith(text[at:].lower()) for tag in tags):
        return True
    found = _OPEN.match(text, at)
    return found is not None and text[at : found.end(found.lastindex or 0)].lower() in tags
