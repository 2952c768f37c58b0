"""Finds what has the shape of a secret in text: the prefixes that vendors give keys, and what looks drawn by lot."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log2

SHAPES: Mapping[str, re.Pattern[str]] = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?=\s*$|\\n|[A-Za-z0-9+/=]{20})"),
    "key of OpenAI, Anthropic, Groq, xAI or OpenRouter": re.compile(r"\b(?:sk|gsk|xai|rk|pk)[-_][A-Za-z0-9_-]{16,}"),
    "key of Google": re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"),
    "key of GLM": re.compile(r"\b[0-9a-f]{32}\.[A-Za-z0-9]{12,}"),
    "key of this gateway": re.compile(r"\bgw-[A-Za-z0-9_-]{32,}"),
    "key of AWS": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "token of GitHub or GitLab": re.compile(r"\b(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,})"),
    "token of Slack": re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"),
    "signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "password in an address": re.compile(r"://[^\s:/@'\"{}<$]+:(?!password@)[^\s/@'\"{}<$]{6,}@[\w.-]+"),
}
_WORD = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
ROW, ROWS = 8, "abcdefghijklmnopqrstuvwxyz|0123456789abcdef"
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
MIN_BITS, MIN_HEX_BITS = 4.2, 3.4
"""Bits a character from which a word looks drawn by lot: of 64 characters, and of 16."""


@dataclass(frozen=True)
class Found:
    """Where something looks like a secret, what kind, and the thing itself."""

    line: int
    kind: str
    text: str


def scan(text: str) -> Iterator[Found]:
    """Everything in `text` that looks like a secret."""
    for number, line in enumerate(text.splitlines(), start=1):
        taken = [(kind, match) for kind, shape in SHAPES.items() for match in shape.finditer(line)]
        yield from (Found(number, kind, match.group()) for kind, match in taken if not _is_made_up(match.group()))
        for match in _WORD.finditer(line):
            inside = any(found.start() < match.end() and match.start() < found.end() for _, found in taken)
            if not inside and not _is_made_up(match.group()) and _is_drawn(match.group()):
                yield Found(number, "word that looks drawn by lot", match.group())


def _is_made_up(word: str) -> bool:
    """True for what has a row of the alphabet or of the digits in it, or stars, or is an address here: nobody draws
    that by lot."""
    lower = word.lower()
    if "****" in word or re.search(r"/v\d/", word):
        return True
    runs = (ROWS[start : start + ROW] for start in range(len(ROWS) - ROW + 1))
    return any(run in lower for run in runs if "|" not in run)


def _is_drawn(word: str) -> bool:
    if _HEX.fullmatch(word):
        return len(word) >= 32 and _bits(word) >= MIN_HEX_BITS
    kinds = sum(bool(re.search(kind, word)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return kinds == 3 and _bits(word) >= MIN_BITS


def _bits(word: str) -> float:
    """Shannon's entropy of the characters."""
    counts = Counter(word)
    return -sum(count / len(word) * log2(count / len(word)) for count in counts.values())
