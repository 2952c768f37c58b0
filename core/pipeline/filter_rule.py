"""Finds one pattern in text that comes in pieces."""

import re

from config.settings import FilterPattern


class FilterRule:
    """A compiled pattern. Raises ValueError that names the pattern when it is no regular expression."""

    __slots__ = ("action", "max_length", "name", "regex", "replacement")

    def __init__(self, pattern: FilterPattern) -> None:
        self.name = pattern.name
        self.action = pattern.action
        self.replacement = pattern.replacement
        self.max_length = pattern.max_length
        try:
            self.regex = re.compile(pattern.pattern, re.IGNORECASE if pattern.ignore_case else 0)
        except re.error as error:
            raise ValueError(f"content filter pattern {pattern.name!r} is no regular expression: {error}") from error

    def match_from(self, text: str, start: int) -> tuple[int, int] | None:
        """Where the first match at or behind `start` begins and ends; one that is too long is cut to `max_length`."""
        while start < len(text) and (found := self.regex.search(text, start)):
            begin, end = found.span()
            if end - begin > self.max_length:
                cut = self.regex.match(text, begin, begin + self.max_length)
                end = cut.end() if cut else begin
            if end > begin:
                return begin, end
            start = begin + 1
        return None


class RuleSearch:
    """One rule's way through one run of text, which says the same however the run is cut.

    A match counts once `max_length` characters and one more have come from where it begins, since only then no later
    text can change it; so that much is held back, except by `log`, which changes nothing. That is exact for patterns
    that look no further than one character behind `max_length`. As much is remembered ahead for lookbehind.
    """

    def __init__(self, rule: FilterRule) -> None:
        self.rule = rule
        self.found = 0
        self._text = ""
        self._open = 0

    def feed(self, piece: str, *, final: bool) -> str:
        """What may be sent after this piece; all of it when `final`. Ends ahead of the match when the rule blocks."""
        rule = self.rule
        text, at = self._text + piece, self._open
        certain = len(text) if final else len(text) - rule.max_length
        out: list[str] = []
        while at < certain and (match := rule.match_from(text, at)) and match[0] < certain:
            self.found += 1
            out.append(text[at : match[0]])
            if rule.action == "block":
                return "".join(out)
            out.append(rule.replacement)
            at = match[1]
        keep = max(at, certain)
        out.append(text[at:keep])
        remembered = max(0, keep - rule.max_length)
        self._text, self._open = text[remembered:], keep - remembered
        return piece if rule.action == "log" else "".join(out)
