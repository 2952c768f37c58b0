"""Finds in a text what must not be written down, and puts a word in its place."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.redaction.detector import Detector
from core.redaction.personal import PERSONAL
from core.redaction.secrets import SECRETS, exactly
from core.redaction.structures import rewritten

__all__ = ["Redactor"]


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
        """The same text with `[what it was]` where something was found."""
        for detector in self._detectors:
            text = detector.applied(text)
        return text

    def value(self, value: Any) -> Any:
        """The same JSON value with every text in it, keys too, as `text` makes it.

        What stands under a name such as `password` is taken out whole.
        """
        return rewritten(value, self.text)
