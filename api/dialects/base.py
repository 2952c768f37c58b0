"""What a dialect promises."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import GatewayError
from schemas.answer import Answer
from schemas.chat import ChatRequest, ThinkingMode
from schemas.conversation import StoredItem
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


def unmarked(message: Any) -> Any:
    """The message without its marks for the prompt cache, itself if it has none.

    They are for the end of the prompt that they came with, and providers take a few of them in each.
    """
    if isinstance(message, list):
        bare = [unmarked(value) for value in message]
        return bare if any(new is not old for new, old in zip(bare, message, strict=True)) else message
    if not isinstance(message, dict):
        return message
    content = message.get("content")
    bare_content = unmarked(content)
    if "cache_control" not in message and bare_content is content:
        return message
    rest = {name: value for name, value in message.items() if name != "cache_control"}
    return {**rest, "content": bare_content} if "content" in rest else rest


class History(Protocol):
    """How messages of one dialect become the items of a conversation, and the items messages again.

    What is written of the same items is always the same, byte for byte.
    """

    def spoken(self, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What of the request's messages belongs to the conversation: all but the instructions ahead of them."""

    def continued(self, body: Mapping[str, Any], items: Sequence[StoredItem]) -> tuple[Mapping[str, Any], int]:
        """The body with what the items say between its instructions and its other messages, and how many messages
        that has put ahead of these."""

    def items(self, message: Mapping[str, Any], number: int) -> list[StoredItem]:
        """The items that stand for a message, the one of that number. Raises InvalidRequest, which names the field."""
