"""A request as it came, for a dialect to parse."""

from flask import Request

from api.dialects.base import Inbound
from core.errors import InvalidRequest
from schemas.chat import ThinkingMode
from schemas.context import ENVIRON_KEY, RequestContext

CREDENTIALS = frozenset({"authorization", "x-api-key", "x-gateway-key", "cookie", "proxy-authorization"})
"""Headers that never leave with a request; a caller's own key goes on by a way of its own."""


def inbound(http: Request, model: str, thinking: ThinkingMode) -> Inbound:
    """The request; its bytes are the caller's now, and in no other place. Raises InvalidRequest when it has no body."""
    context: RequestContext = http.environ[ENVIRON_KEY]
    if context.body is None:
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    headers = {name.lower(): value for name, value in http.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in CREDENTIALS}
    raw, context.raw_body = context.raw_body, b""
    return Inbound(context.body, raw, kept, model, thinking)
