"""What a stage of the pipeline promises."""

from collections.abc import Iterator

from config.settings import PipelineSettings
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk


class Stage:
    """Looks at the request before it is sent, and at the chunks as they come; both are the identity by default.

    A stage is one object for all requests: what spans two chunks lives in the locals of `process`. It passes on every
    chunk it does not care about, KeepAlive above all, and never holds visible text back longer than it must.
    """

    def __init__(self, settings: PipelineSettings) -> None:
        self._settings = settings

    def prepare(self, request: ChatRequest) -> ChatRequest:
        """The request to send instead. Raises InvalidRequest to refuse it."""
        return request

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The chunks to pass on instead; must end as `chunks` ends, with Finished or an error."""
        return chunks
