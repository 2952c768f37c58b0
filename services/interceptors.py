"""Interceptors see every finished answer, after the pipeline, and change nothing."""

from collections.abc import Iterator

import structlog

from schemas.chat import ChatRequest
from schemas.outcome import Outcome
from schemas.stream import ChatChunk, ReasoningDelta, TextDelta
from services.telemetry import Telemetry


class Interceptor:
    """Watches the chunks a client gets, and the outcome once the stream is closed; both do nothing by default."""

    def watch(
        self, request: ChatRequest, chunks: Iterator[ChatChunk], outcome: Outcome, request_id: str
    ) -> Iterator[ChatChunk]:
        """The same chunks. `outcome` is the one that `finished` gets; the request may be another by then."""
        return chunks

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        """The stream is closed, whatever became of it."""


class MetricsInterceptor(Interceptor):
    """Counts attempts, tokens, money and times."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        """Count the outcome."""
        self._telemetry.chat_finished(outcome, max(0.0, outcome.seconds - outcome.waited_seconds))


class ResponseLogInterceptor(Interceptor):
    """Logs what was asked and answered when `prompts` is on; says nothing otherwise, as the access log has the rest."""

    def __init__(self, *, prompts: bool) -> None:
        self._prompts = prompts
        self._log = structlog.get_logger(__name__)

    def watch(
        self, request: ChatRequest, chunks: Iterator[ChatChunk], outcome: Outcome, request_id: str
    ) -> Iterator[ChatChunk]:
        """The same chunks, whose text is logged at their end."""
        return self._logged(request, chunks, request_id) if self._prompts else chunks

    def _logged(self, request: ChatRequest, chunks: Iterator[ChatChunk], request_id: str) -> Iterator[ChatChunk]:
        said: list[str] = []
        try:
            for chunk in chunks:
                if isinstance(chunk, TextDelta | ReasoningDelta):
                    said.append(chunk.text)
                yield chunk
        finally:
            asked = [{"role": message.role, "text": message.text} for message in request.messages]
            self._log.info("chat", request_id=request_id, asked=asked, answered="".join(said))
