"""What a dialect promises."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import GatewayError
from schemas.answer import Answer
from schemas.chat import ChatRequest, ThinkingMode
from schemas.stream import ChatChunk


@dataclass(frozen=True, slots=True)
class Reply:
    """What stays the same in every piece of one answer: its id, its time (seconds since the epoch), and the request."""

    id: str
    created: int
    request: ChatRequest


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it came: its parsed body, the same as bytes, and its headers (names in lower case, no credentials).

    `model` is taken when the body names none; `thinking` is how the endpoint and the caller want thinking shown.
    """

    body: Mapping[str, Any]
    raw: bytes
    headers: Mapping[str, str]
    model: str
    thinking: ThinkingMode


class Dialect(Protocol):
    """One form of request, answer, stream and error."""

    def parse(self, inbound: Inbound) -> ChatRequest:
        """The canonical request, a malformed history repaired. Raises InvalidRequest, which names the field."""

    def new_id(self) -> str:
        """An id for one answer."""

    def render(self, answer: Answer, reply: Reply) -> bytes:
        """The whole answer as one body."""

    def frames(self, chunks: Iterable[ChatChunk], reply: Reply) -> Iterator[bytes]:
        """The answer as server-sent events, ready to send."""

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """The error as a body."""

    def error_frame(self, error: GatewayError, request_id: str) -> bytes:
        """The error as the last event of a stream that has begun."""
