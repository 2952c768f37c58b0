"""Reads what OpenAI-compatible providers say when they fail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from core.errors import (
    ContentRefused,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)

CODES: Mapping[str, type[GatewayError]] = {
    "context_length_exceeded": ContextLengthExceeded,
    "exceed_context_size_error": ContextLengthExceeded,  # llama.cpp's type for it
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
    "model_not_found": ModelNotFound,
    "invalid_api_key": UpstreamUnauthorized,
    "invalid_organization": UpstreamUnauthorized,
    "account_deactivated": UpstreamUnauthorized,
    "insufficient_permissions": UpstreamForbidden,
    "unsupported_country_region_territory": UpstreamForbidden,
    "rate_limit_exceeded": UpstreamRateLimited,
    "insufficient_quota": UpstreamQuotaExhausted,
    "credit_balance_exhausted": UpstreamQuotaExhausted,
    "billing_hard_limit_reached": UpstreamQuotaExhausted,
    "server_is_overloaded": UpstreamOverloaded,
    "slow_down": UpstreamRateLimited,
}
"""What a provider's own code means, whatever the HTTP status."""

TYPES: Mapping[str, type[GatewayError]] = {
    "authentication_error": UpstreamUnauthorized,
    "permission_error": UpstreamForbidden,
    "rate_limit_error": UpstreamRateLimited,
    "requests": UpstreamRateLimited,
    "tokens": UpstreamRateLimited,
    "insufficient_quota": UpstreamQuotaExhausted,
    "overloaded_error": UpstreamOverloaded,
    "service_unavailable_error": UpstreamOverloaded,
    "server_error": UpstreamServerError,
    "invalid_request_error": InvalidRequest,
}
"""What an error's type means where there is no HTTP status: in a stream that has begun."""

_SECRET = re.compile(
    r"\b[0-9a-f]{32}\.[0-9a-z]{8,}\b"  # a GLM key: id, dot, secret
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|\b(?:sk|gsk|xai|rk|pk)[-_][\w*-]{8,}"  # keys of the OpenAI family, starred ones too
    r"|\bAIza[\w-]{10,}|\bAQ\.[\w-]{10,}"  # keys of Google
    r"|(?<=\bBearer )\S+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What the provider said itself; `message` may still hold a secret."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None


def read_said(body: Any) -> Said | None:
    """What an error body says in any of the shapes in use; None when it is none of them.

    Known shapes: `{"error": {…}}`, `{"error": "text"}`, `{"message"}`, `{"detail": text or list}`, `{"code", "msg"}`.
    """
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return None
    inner = body.get("error")
    if isinstance(inner, dict):
        return Said(
            _message(inner) or "", _word(inner.get("code")), _word(inner.get("type")), _word(inner.get("param"))
        )
    message = inner if isinstance(inner, str) else _message(body)
    return Said(message, _word(body.get("code"))) if message else None


def _message(said: Mapping[str, Any]) -> str | None:
    for name in ("message", "msg", "detail"):
        value = said.get(name)
        if isinstance(value, list):
            value = "; ".join(str(item.get("msg", item)) if isinstance(item, dict) else str(item) for item in value)
        if isinstance(value, str) and value:
            return value
    return None


def _word(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def http_code(code: str | None) -> int | None:
    """The HTTP status that some providers write where a code of their own should stand."""
    return int(code) if code and re.fullmatch(r"[45]\d\d", code) else None


def scrubbed(message: str) -> str:
    """`message` with everything that looks like a key or token starred out, at most 2,000 characters of it."""
    return _SECRET.sub("***", message[:2000])


def fault(
    kind: type[GatewayError],
    said: Said,
    *,
    code: str | None = None,
    param: str | None = None,
    retry_after: float | None = None,
) -> GatewayError:
    """An error of `kind` in the provider's own words, free of secrets; `code` and `param` are for the client."""
    retry_after = None if retry_after is None else min(retry_after, LONGEST_WAIT)
    message = scrubbed(said.message) or "the provider gave an error without a message"
    if issubclass(kind, UpstreamUnauthorized):
        # Providers like to quote the key they refuse, and no pattern knows every shape of key.
        message = f"the provider refuses the gateway's credential (its code: {scrubbed(said.code or 'none')})"
    if issubclass(kind, UpstreamError):
        return kind(message, provider_code=said.code, code=code, param=param, retry_after=retry_after)
    details = {"provider_code": scrubbed(said.code)} if said.code else None
    return kind(message, code=code, param=param, retry_after=retry_after, details=details)


LONGEST_WAIT = 32 * 86_400.0
"""A month and a day: the longest window that any plan has. Who says more is mistaken."""
EPOCH_SECONDS, EPOCH_MILLISECONDS = 1e9, 1e11


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait as the headers say it, in milliseconds, seconds or as an HTTP date; None when they do not."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, ""))
        if seconds is not None:
            return _sensible(seconds * scale, now)
    return _until(headers.get("retry-after", ""), now)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return _sensible((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now, now)
    except (ValueError, OverflowError):
        return None


def _sensible(seconds: float, now: float) -> float:
    """A wait that somebody may have meant: a time of the clock, in seconds or milliseconds, is taken for one."""
    if seconds > EPOCH_MILLISECONDS:
        seconds = seconds / 1000 - now
    elif seconds > EPOCH_SECONDS:
        seconds -= now
    return min(max(0.0, seconds), LONGEST_WAIT)
