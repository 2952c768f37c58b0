"""Holds an answer's beginning back until its content has come."""

from collections.abc import Callable, Iterable, Iterator

from core.errors import UpstreamBroken
from schemas.stream import ChatChunk, Finished, KeepAlive, Passed, Started


def gated(chunks: Iterable[ChatChunk], commit: Callable[[], None]) -> Iterator[ChatChunk]:
    """The same chunks; `commit` is called once, when the first content is there, ahead of which only KeepAlive passes.

    Raises UpstreamBroken for an answer that ends of itself without having said anything.
    """
    held: list[ChatChunk] | None = []
    for chunk in chunks:
        if held is not None and not isinstance(chunk, KeepAlive):
            if isinstance(chunk, Started) or (isinstance(chunk, Passed) and not chunk.begins):
                held.append(chunk)
                continue
            if isinstance(chunk, Finished) and _is_empty(chunk):
                raise UpstreamBroken("the provider's answer was empty", code="upstream_empty_answer")
            commit()
            yield from held
            held = None
        yield chunk


def _is_empty(end: Finished) -> bool:
    return end.reason in ("stop", "tool_calls") and not end.may_be_empty
