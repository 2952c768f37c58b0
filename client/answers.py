"""Reads a gateway's answers: headers, errors and bodies."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from client.errors import (
    BudgetExceeded,
    Forbidden,
    GatewayClientError,
    InvalidRequest,
    RateLimited,
    TimedOut,
    Unauthorized,
    UpstreamFailed,
)
from client.replies import ChatReply, ToolCall, Usage

MAX_SHOWN = 300


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> GatewayClientError:
    """The error that an answer of that status is."""
    told = _error_object(body)
    message = str(told.get("message") or f"the gateway answered {status}: {body[:MAX_SHOWN].decode(errors='replace')}")
    details = told.get("details")
    kind = _kind(status, told.get("type"))
    error = kind(
        message,
        status=status,
        code=told.get("code"),
        request_id=headers.get("X-Request-ID"),
        retry_after=retry_after(headers),
        details=details if isinstance(details, dict) else None,
    )
    if headers.get("x-should-retry", "").lower() == "false":
        error.repeats = False
    return error


def _kind(status: int, said: Any) -> type[GatewayClientError]:
    if status == 429:
        return BudgetExceeded if said == "insufficient_quota" else RateLimited
    if status in (408, 504):
        return TimedOut
    if status >= 500:
        return UpstreamFailed
    return {401: Unauthorized, 403: Forbidden}.get(status, InvalidRequest)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from a number or a date; None when nothing sensible is said."""
    said = headers.get("Retry-After")
    if said is None:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(said)
        return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError):
        return None


def cost_of(headers: Mapping[str, str]) -> float | None:
    """What the gateway says it cost; None when it does not."""
    try:
        return float(headers["X-Gateway-Cost-USD"])
    except (KeyError, ValueError):
        return None


def number_of_attempts(headers: Mapping[str, str]) -> int:
    """How many tries the gateway made."""
    text = headers.get("X-Gateway-Attempts", "")
    return int(text) if text.isdecimal() else 1


def chat_reply(body: Mapping[str, Any], headers: Mapping[str, str], model: str, gateway: str) -> ChatReply:
    """A whole answer in OpenAI's form. Raises KeyError, IndexError or TypeError for anything else."""
    choice = body["choices"][0]
    message = choice["message"]
    calls = tuple(
        ToolCall(call.get("id") or "", call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    return ChatReply(
        text=message.get("content") or "",
        reasoning=message.get("reasoning_content") or "",
        tool_calls=calls,
        finish_reason=choice.get("finish_reason"),
        usage=Usage.of(body.get("usage")),
        model=model,
        gateway=gateway,
        request_id=headers.get("X-Request-ID"),
        provider=headers.get("X-Gateway-Provider"),
        upstream_model=headers.get("X-Gateway-Upstream-Model"),
        cost_usd=cost_of(headers),
        attempts=number_of_attempts(headers),
        raw=body,
    )


def _error_object(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {"message": told}
