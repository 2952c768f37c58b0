"""Reads the body of a `<details type="reasoning">` block, as chat.z.ai writes thinking."""

_SUMMARY = "<summary"
_SUMMARY_END = "</summary>"
_MAX_SUMMARY = 1000
_MAX_BLANK = 100


class DetailsBody:
    """Turns the body, cut anywhere, into the thinking itself.

    The summary line goes, one `> ` (or bare `>`) goes from the start of each line, and so does the line break that
    stands before the closing tag. No more than one summary line is ever held back.
    """

    def __init__(self) -> None:
        self._head: str | None = ""
        self._break_due = False
        self._line_start = True
        self._after_mark = False

    def feed(self, text: str) -> str:
        """The thinking that is certain after this piece."""
        if self._head is None:
            return self._unquote(text)
        self._head += text
        body = _after_summary(self._head, final=False)
        return "" if body is None else self._begin(body)

    def end(self) -> str:
        """What was still held back when the block ended."""
        if self._head is None:
            return ""
        return self._begin(_after_summary(self._head, final=True) or "")

    def _begin(self, body: str) -> str:
        self._head = None
        return self._unquote(body)

    def _unquote(self, text: str) -> str:
        first, *others = text.split("\n")
        out = [self._piece(first)]
        for line in others:
            if self._break_due:
                out.append("\n")
            self._break_due = self._line_start = True
            out.append(self._piece(line))
        return "".join(out)

    def _piece(self, text: str) -> str:
        """A piece of one line, without the mark if it begins the line."""
        if not text:
            return ""
        due = "\n" if self._break_due else ""
        self._break_due = False
        if self._line_start:
            self._line_start = False
            self._after_mark = text[0] == ">"
            text = text[1:] if self._after_mark else text
        if self._after_mark and text:
            self._after_mark = False
            text = text.removeprefix(" ")
        return due + text


def _after_summary(head: str, *, final: bool) -> str | None:
    """What follows the summary line at the start of `head`; None while that cannot be known."""
    start = head.lstrip()
    if len(head) - len(start) > _MAX_BLANK:
        return head
    opening = start[: len(_SUMMARY)].lower()
    if opening != _SUMMARY:
        undecided = not final and _SUMMARY.startswith(opening)
        return None if undecided else head.removeprefix("\n")
    line, line_end, rest = start[:_MAX_SUMMARY].partition("\n")
    if not line_end and not final and len(start) < _MAX_SUMMARY:
        return None
    beside = line.partition(_SUMMARY_END)[2].lstrip()
    return (beside + line_end if beside else "") + rest + start[_MAX_SUMMARY:]
