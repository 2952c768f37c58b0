"""OpenAI's Chat Completions."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from api.dialects.base import Inbound, Reply
from api.dialects.openai_chat_answer import render_answer
from api.dialects.openai_chat_frames import Frames
from api.dialects.openai_chat_request import parse_request
from core import sse
from core.errors import GatewayError
from schemas.answer import Answer
from schemas.chat import ChatRequest
from schemas.codec import dumps
from schemas.stream import ChatChunk


class OpenAIChat:
    """Requests, answers, streams and errors as the OpenAI SDKs expect them."""

    def parse(self, inbound: Inbound) -> ChatRequest:
        """The canonical request. Raises InvalidRequest, which names the field."""
        return parse_request(inbound)

    def new_id(self) -> str:
        """`chatcmpl-` and 32 hex digits."""
        return f"chatcmpl-{uuid4().hex}"

    def render(self, answer: Answer, reply: Reply) -> bytes:
        """A `chat.completion` object."""
        return dumps(render_answer(answer, reply))

    def frames(self, chunks: Iterable[ChatChunk], reply: Reply) -> Iterator[bytes]:
        """`chat.completion.chunk` events, ended by `[DONE]`."""
        return Frames(reply).of(chunks)

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """`{"error": {…}, "request_id", "timestamp"}`."""
        return error_body(error, request_id)

    def error_frame(self, error: GatewayError, request_id: str) -> bytes:
        """An event with a top-level `error`, which is what makes the SDKs raise APIError."""
        return sse.encode(error_body(error, request_id))


def error_body(error: GatewayError, request_id: str) -> bytes:
    """The error in OpenAI's shape, which `schemas/error.py` describes."""
    detail: dict[str, Any] = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    if error.details:
        detail["details"] = error.details
    return dumps({"error": detail, "request_id": request_id, "timestamp": datetime.now(UTC).isoformat()})
