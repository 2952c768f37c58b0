"""The events of a provider's answer, whether it comes as a stream or whole."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from core import sse
from core.errors import UpstreamBroken

STREAM_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""How an event stream begins, whatever its content type says."""


WHOLE_STARTS = (b"{", b"[", b"<")


def events_of(headers: Mapping[str, str], blocks: Iterable[bytes]) -> Iterator[sse.Event]:
    """The events in the body's `blocks`; a body that is no stream becomes one event named `body`, and each
    line of one that is JSON by lines an event named `line`.

    An empty block, which is silence, becomes `SILENCE`. Header names are in lower case. Raises UpstreamError.
    """
    kind = headers.get("content-type", "").lower()
    if "ndjson" in kind or "jsonlines" in kind:
        return _lines(blocks)
    return _whole_body(blocks) if "json" in kind or "html" in kind else _sniffed(blocks)


def _sniffed(blocks: Iterable[bytes]) -> Iterator[sse.Event]:
    """A stream, or a whole body under a content type that is wrong: no stream begins like JSON or a page."""
    rest = iter(blocks)
    for block in rest:
        if block.strip():
            whole = block.lstrip().startswith(WHOLE_STARTS)
            yield from (_whole_body if whole else sse.decode)(chain((block,), rest))
            return
        if not block:
            yield sse.SILENCE


def _lines(blocks: Iterable[bytes]) -> Iterator[sse.Event]:
    """One event a line of a body that is JSON line by line."""
    rest: list[bytes] = []
    size = 0
    for block in blocks:
        if not block:
            yield sse.SILENCE
            continue
        first, *others = block.split(b"\n")
        rest.append(first)
        size += len(first)
        if size > sse.MAX_EVENT_BYTES:
            raise UpstreamBroken("the provider sent a line without end")
        for line in others:
            yield from _line(b"".join(rest))
            rest, size = [line], len(line)
    yield from _line(b"".join(rest))


def _line(line: bytes) -> Iterator[sse.Event]:
    if line.strip():
        yield sse.Event(line, "line")


def _whole_body(blocks: Iterable[bytes]) -> Iterator[sse.Event]:
    body = bytearray()
    for block in blocks:
        if block:
            body += block
        else:
            yield sse.SILENCE
    if body.lstrip().startswith(STREAM_STARTS):
        # An event stream that calls itself JSON.
        yield from sse.decode([bytes(body)])
    elif body:
        yield sse.Event(bytes(body), "body")
