"""The events of a provider's answer, whether it comes as a stream or whole."""

from collections.abc import Iterable, Iterator, Mapping

from core import sse


def events_of(headers: Mapping[str, str], blocks: Iterable[bytes]) -> Iterator[sse.Event]:
    """The events in the body's `blocks`; a body that is no stream becomes one event named `body`.

    An empty block, which is silence, becomes `SILENCE`. Header names are in lower case. Raises UpstreamError.
    """
    kind = headers.get("content-type", "").lower()
    return _whole_body(blocks) if "json" in kind or "html" in kind else sse.decode(blocks)


def _whole_body(blocks: Iterable[bytes]) -> Iterator[sse.Event]:
    body = bytearray()
    for block in blocks:
        if block:
            body += block
        else:
            yield sse.SILENCE
    if body.lstrip().startswith(b"data:"):
        # An event stream that calls itself JSON.
        yield from sse.decode([bytes(body)])
    elif body:
        yield sse.Event(bytes(body), "body")
