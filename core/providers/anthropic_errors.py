"""What the errors of an Anthropic-form endpoint mean (https://platform.claude.com/docs/en/api/errors)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.errors import (
    BodyTooLarge,
    ContentRefused,
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    ProviderConflict,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from core.providers.base import status_error
from core.providers.openai_faults import Said, fault, read_said, scrubbed
from schemas.chat import ChatRequest

TYPES: Mapping[str, type[GatewayError]] = {
    "invalid_request_error": InvalidRequest,
    "authentication_error": UpstreamUnauthorized,
    "billing_error": UpstreamQuotaExhausted,
    "permission_error": UpstreamForbidden,
    "not_found_error": NotFound,
    "conflict_error": ProviderConflict,
    "request_too_large": BodyTooLarge,
    "rate_limit_error": UpstreamRateLimited,
    "api_error": UpstreamServerError,
    "timeout_error": UpstreamTimeout,
    "overloaded_error": UpstreamOverloaded,
    "exceed_context_size_error": ContextLengthExceeded,  # llama.cpp's word
}
"""What each of Anthropic's types of error means."""

CAUSES: Mapping[str, type[GatewayError]] = {
    "contract_spend_limit_reached": UpstreamQuotaExhausted,
    "enforced_spend_limit_reached": UpstreamQuotaExhausted,
}
"""What a stable cause (`details.error_code`) means, unless the answer says when to come back."""

TEXTS: tuple[tuple[re.Pattern[str], type[GatewayError]], ...] = (
    (re.compile(r"prompt is too long|exceeds? (?:the )?context (?:limit|window)", re.I), ContextLengthExceeded),
    (re.compile(r"content filtering policy", re.I), ContentRefused),
    (re.compile(r"credit balance is too low", re.I), UpstreamQuotaExhausted),
    (re.compile(r"reached your specified (?:\w+ )?API usage limits", re.I), UpstreamQuotaExhausted),
    (re.compile(r"organization has been disabled", re.I), UpstreamUnauthorized),
)
"""What Anthropic says under `invalid_request_error` that is no fault of the request's form."""

_MODEL = re.compile(r"\bmodel\b", re.I)
_PATH = re.compile(r"([a-z_]+(?:\.[a-z0-9_]+)*): ")
_REGAIN = re.compile(r"regain access on (\d{4}-\d\d-\d\d)(?: at (\d\d:\d\d))?", re.I)
_ABOUT_REPLAY = re.compile(r"\bsignature\b|redacted_thinking|thinking\W? blocks?|content\.\d+\.thinking", re.I)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as an Anthropic-form endpoint tells it; `cause` is `details.error_code`."""

    said: Said
    cause: str | None = None


def read_trouble(body: Any) -> Trouble | None:
    """The error in a parsed body, also in the shapes other providers use; None when there is none."""
    said = read_said(body)
    if said is None:
        return None
    inner = body.get("error") if isinstance(body, dict) else None
    details = inner.get("details") if isinstance(inner, dict) else None
    cause = details.get("error_code") if isinstance(details, dict) else None
    return Trouble(said, cause if isinstance(cause, str) and cause else None)


def error_of(trouble: Trouble, status: int | None, wait: float | None, now: float) -> GatewayError:
    """Our error for `trouble`, in the provider's own words, which clients match on, but free of secrets.

    `status` is None inside an answer; `wait` is what a header asks for, and `now` seconds since the epoch.
    """
    said = trouble.said
    kind = _kind(trouble, status, wait)
    # A key that may not use one model is sound for the others.
    code = "model_not_found" if kind is UpstreamForbidden and _MODEL.search(said.message) else None
    if kind is UpstreamQuotaExhausted:
        wait = _until_regained(said.message, now)
        code = None if wait is None else "spend_limit_reached"
    path = _PATH.match(said.message) if issubclass(kind, InvalidRequest) else None
    told = Said(said.message, said.code or trouble.cause, said.type, said.param)
    error = fault(kind, told, code=code, param=said.param or (path[1] if path else None), retry_after=wait)
    if trouble.cause:
        error.details = {**(error.details or {}), "error_code": scrubbed(trouble.cause)}
    return error


def _kind(trouble: Trouble, status: int | None, wait: float | None) -> type[GatewayError]:
    said = trouble.said
    by_cause = CAUSES.get(trouble.cause or "") if wait is None else None
    by_status = UpstreamServerError if status is None else type(status_error(status, ""))
    kind = by_cause or TYPES.get(said.type or "") or by_status
    if kind is InvalidRequest:
        return next((meaning for pattern, meaning in TEXTS if pattern.search(said.message)), kind)
    if kind is NotFound and _MODEL.search(said.message):
        return ModelNotFound
    return kind


def _until_regained(text: str, now: float) -> float | None:
    """Seconds until the moment in UTC at which a spending limit is lifted, if the text names one."""
    found = _REGAIN.search(text)
    try:
        moment = datetime.fromisoformat(f"{found[1]} {found[2] or '00:00'}") if found else None
    except ValueError:
        return None
    return None if moment is None else max(60.0, moment.replace(tzinfo=UTC).timestamp() - now)


def refuses_replay(request: ChatRequest, error: GatewayError) -> bool:
    """True when `error` refuses thinking of earlier answers, of which `request` carries some."""
    if not isinstance(error, InvalidRequest) or not _ABOUT_REPLAY.search(error.message):
        return False
    return any(message.thinking for message in request.messages)
