"""Anthropic's Messages."""

from collections.abc import Iterable, Iterator
from uuid import uuid4

from api.dialects.anthropic_messages_answer import render_answer
from api.dialects.anthropic_messages_errors import error_body, status_of
from api.dialects.anthropic_messages_frames import Frames
from api.dialects.anthropic_messages_request import parse_count, parse_request
from api.dialects.base import Inbound, Reply
from core import sse
from core.errors import GatewayError
from schemas.answer import Answer
from schemas.chat import ChatRequest
from schemas.codec import dumps
from schemas.stream import ChatChunk

__all__ = ["AnthropicMessages", "error_body", "status_of"]


class AnthropicMessages:
    """Requests, answers, streams and errors as the Anthropic SDKs and Claude Code expect them."""

    def parse(self, inbound: Inbound) -> ChatRequest:
        """The canonical request, a malformed history repaired. Raises InvalidRequest, which names the field."""
        return parse_request(inbound)

    def parse_count(self, inbound: Inbound) -> ChatRequest:
        """The canonical request of one that asks for the number of its tokens. Raises InvalidRequest."""
        return parse_count(inbound)

    def new_id(self) -> str:
        """`msg_` and 32 hex digits."""
        return f"msg_{uuid4().hex}"

    def render(self, answer: Answer, reply: Reply) -> bytes:
        """A `message` object."""
        return dumps(render_answer(answer, reply))

    def frames(self, chunks: Iterable[ChatChunk], reply: Reply) -> Iterator[bytes]:
        """The events from `message_start` to `message_stop`."""
        return Frames(reply).of(chunks)

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """`{"type": "error", "error": {…}, "request_id"}`."""
        return error_body(error, request_id)

    def error_frame(self, error: GatewayError, request_id: str) -> bytes:
        """An `error` event, which makes the SDKs raise APIStatusError."""
        return sse.encode(error_body(error, request_id), "error")
