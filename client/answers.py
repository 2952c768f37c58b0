"""Reads a gateway's answers: headers, errors and bodies."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    GatewayClientError,
    InvalidRequest,
    RateLimited,
    TimedOut,
    Unauthorized,
    UpstreamFailed,
)
from .replies import ChatReply, EmbeddingReply, ToolCall, Usage

MAX_SHOWN = 300
BY_TYPE: Mapping[str, type[GatewayClientError]] = {
    "invalid_request_error": InvalidRequest,
    "authentication_error": Unauthorized,
    "permission_error": Forbidden,
    "rate_limit_error": RateLimited,
    "insufficient_quota": BudgetExceeded,
}
"""What an error in a stream is, by its `type`; any other is a failure."""
BY_CODE: Mapping[str, type[GatewayClientError]] = {
    "upstream_timeout": TimedOut,
    "gateway_timeout": TimedOut,
    "request_timeout": TimedOut,
    "conflict": Conflict,
}
"""What it is by its `code`, which is more exact."""
HOPELESS = frozenset(
    {"request_too_large", "no_credentials", "upstream_unauthorized", "upstream_token_expired", "account_deactivated"}
)
"""Codes that an operator has to do something about; with a status `x-should-retry` says so."""
PLAIN = frozenset({401, 403, 408, 413, 429})
"""Refusals below 500 that mean the same whoever gives them: a proxy in front of a gateway, too."""


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> GatewayClientError:
    """The error that an answer of that status is."""
    told = _error_object(body)
    message = str(told.get("message") or f"the gateway answered {status}: {body[:MAX_SHOWN].decode(errors='replace')}")
    # What a gateway refuses has a type. Any other page, or a way to one, comes from something else at its address.
    foreign = status < 500 and status not in PLAIN and "type" not in told
    kind = UpstreamFailed if foreign else _kind(status, told.get("type"))
    error = _error(kind, message, told, headers, status)
    error.retry_after = retry_after(headers)
    if foreign or headers.get("x-should-retry", "").lower() == "false":
        error.repeats = False
    return error


def error_in_stream(told: Any, headers: Mapping[str, str]) -> GatewayClientError:
    """The same for the `error` of an event, which has neither status nor `Retry-After` of its own."""
    told = told if isinstance(told, dict) else {"message": told}
    kind = BY_CODE.get(str(told.get("code"))) or BY_TYPE.get(str(told.get("type")), UpstreamFailed)
    error = _error(kind, str(told.get("message") or "the stream was broken off"), told, headers, None)
    opens = error.details.get("resets_in_seconds", error.details.get("opens_in_seconds"))
    error.retry_after = float(opens) if isinstance(opens, int | float) else None
    if error.code in HOPELESS:
        error.repeats = False
    return error


def _error(
    kind: type[GatewayClientError],
    message: str,
    told: Mapping[str, Any],
    headers: Mapping[str, str],
    status: int | None,
) -> GatewayClientError:
    details = told.get("details")
    return kind(
        message,
        status=status,
        code=told.get("code"),
        param=told.get("param"),
        request_id=headers.get("X-Request-ID"),
        details=details if isinstance(details, dict) else None,
    )


def _kind(status: int, said: Any) -> type[GatewayClientError]:
    if status == 429:
        return BudgetExceeded if said == "insufficient_quota" else RateLimited
    if status in (408, 504):
        return TimedOut
    if status >= 500:
        return UpstreamFailed
    return {401: Unauthorized, 403: Forbidden, 409: Conflict}.get(status, InvalidRequest)


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


@contextmanager
def readable(gateway: str) -> Iterator[None]:
    """Raises UpstreamFailed for a body that is not what it should be."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamFailed(f"{gateway} answered with something else than was asked for") from error


def embedding_reply(body: Mapping[str, Any], headers: Mapping[str, str], model: str) -> EmbeddingReply:
    """Vectors in OpenAI's form. To be called within `readable`."""
    rows = sorted(body["data"], key=lambda row: row["index"])
    vectors = tuple(tuple(map(float, row["embedding"])) for row in rows)
    return EmbeddingReply(vectors, Usage.of(body.get("usage")), model, headers.get("X-Request-ID"), cost_of(headers))


def chat_reply(body: Mapping[str, Any], headers: Mapping[str, str], model: str, gateway: str) -> ChatReply:
    """A whole answer in OpenAI's form. To be called within `readable`."""
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
