"""The marks chat.z.ai writes into its message buffer, and whether a piece of text may yet become one."""

import re

BLOCK = re.compile(r"<glm_block\b[^<>]*>", re.IGNORECASE)
BLOCK_END = "</glm_block>"
DETAILS = re.compile(r"<details\b[^<>]*\btype=[\"']reasoning[\"'][^<>]*>", re.IGNORECASE)
DETAILS_END = re.compile(r"</details\s*>", re.IGNORECASE)
SUMMARY = re.compile(r"<summary\b[^<>]*>", re.IGNORECASE)
SUMMARY_END = re.compile(r"</summary\s*>", re.IGNORECASE)
LEFTOVER = re.compile(r"</thinking>|</?full>", re.IGNORECASE)
LEFTOVERS = ("</thinking>", "<full>", "</full>")
LINE_STOP = re.compile(r"[\n<]")
LONGEST = max(map(len, ("<glm_block", "</summary>", *LEFTOVERS)))

# Bounded, so that a lone "<details" in prose is not held back for ever.
_OPEN = re.compile(r"<(?:details|glm_block|summary)\b[^<>]{0,2000}\Z|</details\s{0,20}\Z", re.IGNORECASE)


def is_open(text: str, at: int) -> bool:
    """True when a tag begins at `at` whose end has not come yet."""
    return _OPEN.match(text, at) is not None


def begins(text: str, at: int, *tags: str) -> bool:
    """True when all that stands from `at` on is the beginning of one of the tags."""
    if len(text) - at >= LONGEST:
        return False
    rest = text[at:].lower()
    return any(tag.startswith(rest) for tag in tags)
