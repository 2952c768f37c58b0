"""Errors in Anthropic's form (https://docs.anthropic.com/en/api/errors)."""

from collections.abc import Mapping
from typing import Any

from core.errors import BudgetExceeded, ContextLengthExceeded, GatewayError, UpstreamOverloaded
from schemas.codec import dumps

TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's word for a status; any other is `api_error` from 500 on, and `invalid_request_error` below."""
OVERLOADED = 529
SPENT = "enforced_spend_limit_reached"
TOO_LONG = "prompt is too long"


def error_body(error: GatewayError, request_id: str) -> bytes:
    """`{"type": "error", "error": {"type", "message", "details"?}, "request_id"}`."""
    status = status_of(error)
    kind = TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    detail: dict[str, Any] = {"type": kind, "message": _message(error)}
    details = {**_cause(error), **(error.details or {})}
    if details:
        detail["details"] = details
    return dumps({"type": "error", "error": detail, "request_id": request_id})


def _cause(error: GatewayError) -> dict[str, str]:
    """Anthropic's word for why, where its clients act on it: Claude Code does not repeat what no money is left for."""
    return {"error_code": SPENT} if isinstance(error, BudgetExceeded) else {}


def _message(error: GatewayError) -> str:
    """What happened, where it matters in the words by which Claude Code knows that it has to shorten its history."""
    if isinstance(error, ContextLengthExceeded) and TOO_LONG not in error.message.lower():
        return f"{TOO_LONG}: {error.message}"
    return error.message


def status_of(error: GatewayError) -> int:
    """The HTTP status to answer with: the error's own, but for Anthropic's number for a model without capacity."""
    return OVERLOADED if isinstance(error, UpstreamOverloaded) or error.code == "overloaded" else error.status
