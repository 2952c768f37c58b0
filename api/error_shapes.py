"""The shapes in which errors are told, and who is told in which."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Request

from api.dialects import anthropic_messages, openai_chat
from core.errors import GatewayError


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """`fits` says for which requests; `id_header` is a second name of the header with the request's id."""

    fits: Callable[[Request], bool]
    body: Callable[[GatewayError, str], bytes]
    status: Callable[[GatewayError], int]
    id_header: str | None = None


def is_anthropics(request: Request) -> bool:
    """True for Anthropic's own paths, and for those that both have when the client is Anthropic's."""
    shared = request.path.startswith("/v1/models") and "anthropic-version" in request.headers
    return shared or request.path == "/v1/messages" or request.path.startswith("/v1/messages/")


ERROR_SHAPES = (
    ErrorShape(is_anthropics, anthropic_messages.error_body, anthropic_messages.status_of, "request-id"),
    ErrorShape(lambda _: True, openai_chat.error_body, lambda error: error.status),
)
"""The first that fits counts."""
