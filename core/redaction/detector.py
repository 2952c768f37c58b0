"""One kind of thing to look for."""

import re
from collections.abc import Callable
from dataclasses import dataclass


def always(_: str) -> bool:
    """Whatever has the shape is meant."""
    return True


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds by shape, and tells by `genuine` what only looks like it.

    The shape has no repetition inside a repetition, so that no text keeps it busy. `hint` is a character without which
    there is nothing to find.
    """

    name: str
    shape: re.Pattern[str]
    genuine: Callable[[str], bool] = always
    hint: str = ""

    def applied(self, text: str) -> str:
        """The text with `[name]` where something was found."""
        if self.hint and self.hint not in text:
            return text
        mark = f"[{self.name}]"
        return self.shape.sub(lambda match: mark if self.genuine(match.group()) else match.group(), text)

    @classmethod
    def of_pattern(cls, name: str, pattern: str) -> "Detector":
        """A detector of one's own. Raises ValueError for a pattern that is broken or fits nothing but emptiness."""
        try:
            shape = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"the pattern {name!r} is broken: {error}") from None
        if shape.match("") is not None:
            raise ValueError(f"the pattern {name!r} fits an empty text, so it would stand everywhere")
        return cls(name, shape)
