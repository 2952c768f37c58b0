"""Finds in a text what must not be written down, and puts a word in its place."""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.redaction.breath import AT_ONCE, Breath
from core.redaction.detector import Detector
from core.redaction.personal import PERSONAL
from core.redaction.secrets import SECRETS, exactly
from core.redaction.structures import beginning, rewritten
from schemas.codec import dumps, loads

__all__ = ["Redactor"]

MARGIN = 4096
"""More than is kept is looked through, so that what is cut in two at the end is not half a secret."""
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
EXPRESSIONS = 8
"""How many of them look through a text in the time that is counted for it."""
URL_SAFE = str.maketrans("-_", "+/")
USUAL = str.maketrans(
    "\u00a0\u2007\u2009\u202f\u3000\u2010\u2011\uff0d\uff0b\uff20\uff0e\uff1a０１２３４５６７８９",
    "     ---+@.:0123456789",
)
"""How what keeps groups of digits on one line, and what Chinese and Japanese keyboards write, is usually spelled."""
ENCODED = "[base64]"
"""Stands for what hides something in base64."""
ESCAPE = re.compile(r"\\(?:[nrtbf]|u[0-9a-fA-F]{4})")


class Redactor:
    """Always takes out secrets, and personal data when told to; both in time that grows with the text alone."""

    def __init__(
        self, known_secrets: Iterable[str] = (), *, personal: bool = True, patterns: Mapping[str, str] | None = None
    ) -> None:
        """`patterns` are more regular expressions by the word that is to stand there.

        Raises ValueError for one that is broken or matches nothing at all everywhere.
        """
        more = [Detector.of_pattern(name, pattern) for name, pattern in (patterns or {}).items()]
        self._detectors: Sequence[Detector] = (
            *exactly(known_secrets),
            *SECRETS,
            *more,
            *(PERSONAL if personal else ()),
        )

    def text(self, text: str) -> str:
        """The same text with `[what it was]` where something was found.

        In a text with JSON's escapes, what they stand for is looked through as well: the `n` of a line's end hides
        what follows it. Where that finds more, the text comes without its escapes. Text in base64 is looked through as
        well, and taken out whole.
        """
        shown = self._applied(text)
        if "\\" not in text or not ESCAPE.search(text):
            return shown
        plain = self._applied(_without_escapes(text))
        return shown if plain == _without_escapes(shown) else plain

    def value(self, value: Any) -> Any:
        """The same JSON value with every text in it, keys too, as `text` makes it.

        What stands under a name such as `password` is taken out whole. Others run meanwhile, however much there is.
        """
        breath = Breath()

        def breathing(text: str) -> str:
            breath.take(len(text))
            return self.text(text)

        return rewritten(value, breathing)

    def shown(self, value: Any, most: int) -> Any:
        """As `value` makes it; of one that is longer than `most` characters of JSON the beginning of its text.

        Bytes are taken as JSON, or as the text they are.
        """
        if isinstance(value, bytes):
            value = _read(value)
        part = beginning(value, most + MARGIN)
        length = _length(value, part)
        if length <= most:
            return self.value(value)
        # Only what can be shown is looked through, and of that the end not shown: it may be half a secret.
        looked_through = dumps(self.value(part)).decode()
        return {"beginning": looked_through[:-MARGIN][:most], "cut_off": length - most}

    def _applied(self, text: str) -> str:
        text = self._found(text)
        return BASE64.sub(lambda match: self._unless_found(match.group()), text)

    def _found(self, text: str) -> str:
        shown = self._searched(text)
        if shown.isascii() or (usual := shown.translate(USUAL)) == shown:
            return shown
        more = self._searched(usual)
        return shown if more == usual else more

    def _searched(self, text: str) -> str:
        breath = Breath() if len(text) > AT_ONCE else None
        for detector in self._detectors:
            text = detector.applied(text)
            if breath is not None:
                breath.take(len(text) // EXPRESSIONS)
        return text

    def _unless_found(self, run: str) -> str:
        said = _decoded(run)
        return run if said is None or self._found(said) == said else ENCODED


def _without_escapes(text: str) -> str:
    return ESCAPE.sub(lambda match: str(loads(f'"{match.group()}"')), text)


def _decoded(run: str) -> str | None:
    """The text that base64 spells, None when it is none; of what was cut in two as much as is whole."""
    plain = run.rstrip("=").translate(URL_SAFE)
    data = b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4 % 3))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start].decode() if error.start >= len(data) - 3 else None


def _length(value: Any, part: Any) -> int:
    try:
        return len(dumps(value).decode())
    except ValueError:
        return len(dumps(part).decode())  # nested deeper than can be spelled


def _read(data: bytes) -> Any:
    try:
        return loads(data)
    except ValueError:
        return data.decode(errors="replace")
