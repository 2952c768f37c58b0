"""Ends a source of chunks early."""

from collections.abc import Iterator

from schemas.stream import ChatChunk


def close(chunks: Iterator[ChatChunk]) -> None:
    """Close `chunks` if it is something that can be closed, as generators are."""
    closing = getattr(chunks, "close", None)
    if closing is not None:
        closing()
