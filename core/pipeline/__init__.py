"""The response pipeline: every stage, in the order they work."""

from collections.abc import Callable, Iterator

from config.settings import PipelineSettings
from core.counting import TokenCounter
from core.pipeline.base import Stage
from core.pipeline.content_filter import ContentFilter
from core.pipeline.format import Format
from core.pipeline.stop_words import StopWords
from core.pipeline.thinking import Thinking
from core.pipeline.token_count import TokenCount
from core.pipeline.validate import ResponseValidation
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk

STAGES: tuple[type[Stage], ...] = (ResponseValidation, Thinking, StopWords, ContentFilter, Format, TokenCount)

Hears = Callable[[Iterator[ChatChunk]], Iterator[ChatChunk]]
"""Passes chunks on as they are."""


class Pipeline:
    """One set of stages, good for any number of requests at once."""

    def __init__(self, settings: PipelineSettings, counter: TokenCounter) -> None:
        """`counter` is loaded with the first text that has to be counted."""
        self._stages = tuple(stage(settings, counter) for stage in STAGES)

    def prepare(self, request: ChatRequest) -> ChatRequest:
        """The request to send. Raises InvalidRequest when a stage refuses it."""
        for stage in self._stages:
            request = stage.prepare(request)
        return request

    def process(
        self, request: ChatRequest, chunks: Iterator[ChatChunk], hears: Hears | None = None
    ) -> Iterator[ChatChunk]:
        """The provider's chunks as the client is to see them; `request` is what `prepare` returned.

        `hears` is told what the model says, searched, but before its thinking is shown in tags or hidden.
        """
        for stage in self._stages:
            if hears is not None and isinstance(stage, Format):
                chunks = hears(chunks)
            chunks = stage.process(request, chunks)
        return chunks
