"""What a stage of the pipeline promises."""

from collections.abc import Iterator

from config.settings import PipelineSettings
from core.counting import TokenCounter
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk, KeepAlive, Passed, Started

WITHOUT_CONTENT = (KeepAlive, Started, Passed)
"""Chunks that say nothing of the answer's content, and so end no stretch of it, unless `begins_block`."""


class Stage:
    """Looks at the request before it is sent, and at the chunks as they come; both are the identity by default.

    A stage is one object for all requests: what spans two chunks lives in the locals of `process`. It passes on every
    chunk it does not care about, KeepAlive above all, and never holds visible text back longer than it must. A chunk
    that is changed is a new one, without the event it came from.
    """

    def __init__(self, settings: PipelineSettings, counter: TokenCounter | None = None) -> None:
        """`counter` is the process's own, whose vocabulary is large; a stage without one makes one of its own."""
        self._settings = settings
        self._counter = counter or TokenCounter()

    def prepare(self, request: ChatRequest) -> ChatRequest:
        """The request to send instead. Raises InvalidRequest to refuse it."""
        return request

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The chunks to pass on instead; must end as `chunks` ends, with Finished or an error."""
        return chunks


def is_forwarded(request: ChatRequest, chunk: ChatChunk) -> bool:
    """True for a chunk whose event goes on in a dialect that tells thinking, answer and stop words apart by itself."""
    return request.thinking_mode == "blocks" and not isinstance(chunk, KeepAlive) and bool(chunk.raw)


def begins_block(chunk: ChatChunk) -> bool:
    """True for an event that opens a block of its own, as that of a tool which runs at the provider.

    What text came before it must be on its way before it goes.
    """
    return isinstance(chunk, Passed) and chunk.raw.value.get("type") == "content_block_start"
