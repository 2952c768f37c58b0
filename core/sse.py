"""Bytes to server-sent events and back, without any I/O (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import Iterable, Iterator

from core.errors import UpstreamBroken

MAX_EVENT_BYTES = 64 * 1024 * 1024


class Event:
    """One event: its name (None when the stream gave none) and its data lines joined by a newline."""

    __slots__ = ("data", "name")

    def __init__(self, data: bytes, name: str | None = None) -> None:
        self.data = data
        self.name = name

    def __repr__(self) -> str:
        return f"Event({self.data!r}, {self.name!r})"


SILENCE = Event(b"", "silence")
"""Stands in a stream of events where nothing has come for a while; compare by identity."""

KEEP_ALIVE = b": keep-alive\n\n"


def encode(data: bytes, name: str | None = None) -> bytes:
    """Return the frame for one event whose data holds no line break."""
    return b"data: " + data + b"\n\n" if name is None else b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def decode(blocks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a byte stream that may be cut anywhere; an empty block becomes `SILENCE`.

    Takes LF, CRLF and CR line ends, comments, several data lines, `data:` without the space, a byte order mark, and a
    last event without its blank line. Events without data are left out. Raises UpstreamBroken for an endless event.
    """
    parser = _Parser()
    for block in blocks:
        if block:
            yield from parser.feed(block)
        else:
            yield SILENCE
    yield from parser.end()


class _Parser:
    """The lines of the event that is being read, and the piece of a line that has come so far."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._data: list[bytes] = []
        self._name: str | None = None
        self._after_cr = False
        self._size = 0
        self._partial_size = 0
        self._begun = False

    def feed(self, block: bytes) -> list[Event]:
        if b"\r" in block or self._after_cr:
            block = self._normalise(block)
        *lines, rest = block.split(b"\n")
        events: list[Event] = []
        for line in lines:
            if self._partial:
                self._partial.append(line)
                line = b"".join(self._partial)  # noqa: PLW2901 - the whole line replaces its last piece
                self._partial.clear()
                self._partial_size = 0
            self._line(line, events)
        if rest:
            self._partial.append(rest)
            self._partial_size += len(rest)
            self._check_size()
        return events

    def end(self) -> list[Event]:
        """The event that was still open when the stream ended."""
        return self.feed(b"\n\n") if self._partial or self._data else []

    def _normalise(self, block: bytes) -> bytes:
        if self._after_cr and block.startswith(b"\n"):
            block = block[1:]
            self._after_cr = False
        if block:
            self._after_cr = block.endswith(b"\r")
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes, events: list[Event]) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            if any(self._data):
                events.append(Event(self._data[0] if len(self._data) == 1 else b"\n".join(self._data), self._name))
            self._data.clear()
            self._name = None
            self._size = 0
        elif line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._size += len(value) + 1
            self._check_size()
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("utf-8", "replace")

    def _check_size(self) -> None:
        if self._size + self._partial_size > MAX_EVENT_BYTES:
            raise UpstreamBroken("the provider sent an event without end")
