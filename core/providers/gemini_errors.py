"""What Google says when it fails (https://ai.google.dev/gemini-api/docs/troubleshooting, https://google.aip.dev/193)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import (
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
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
from core.providers.foreign_json import count, items, mapping, text
from core.providers.openai_faults import Said, fault

DAY = 86_400.0
PACIFIC = 8 * 3600.0
"""Daily quotas open at midnight in California; its winter time, as an hour too late is better than one too early."""

STATUSES: Mapping[str, type[GatewayError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "FAILED_PRECONDITION": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "UNAUTHENTICATED": UpstreamUnauthorized,
    "PERMISSION_DENIED": UpstreamForbidden,
    "NOT_FOUND": ModelNotFound,
    "ALREADY_EXISTS": ProviderConflict,
    "ABORTED": ProviderConflict,
    "RESOURCE_EXHAUSTED": UpstreamRateLimited,
    "CANCELLED": UpstreamServerError,
    "INTERNAL": UpstreamServerError,
    "UNKNOWN": UpstreamServerError,
    "DATA_LOSS": UpstreamServerError,
    "UNIMPLEMENTED": UpstreamServerError,
    "UNAVAILABLE": UpstreamOverloaded,
    "DEADLINE_EXCEEDED": UpstreamTimeout,
}
"""What Google's word for the status means, where nothing below says it more exactly."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Our error, and the `code` the client sees (None: the class's own)."""

    kind: type[GatewayError]
    code: str | None = None


_BAD_KEY = Meaning(UpstreamUnauthorized)
_NO_MONEY = Meaning(UpstreamQuotaExhausted)
_NOT_ENTITLED = Meaning(UpstreamForbidden, "model_not_found")

REASONS: Mapping[str, Meaning] = {
    "API_KEY_INVALID": _BAD_KEY,
    "API_KEY_EXPIRED": _BAD_KEY,
    "ACCESS_TOKEN_EXPIRED": _BAD_KEY,
    "CONSUMER_INVALID": _BAD_KEY,
    "CONSUMER_SUSPENDED": Meaning(UpstreamUnauthorized, "account_deactivated"),
    "BILLING_DISABLED": _NO_MONEY,
}
"""What the `reason` of an ErrorInfo means, whatever the status: a wrong key is a 400."""

TEXTS: tuple[tuple[re.Pattern[str], Meaning], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), meaning)
    for pattern, meaning in (
        (r"api key (?:not valid|expired|not found|is invalid)|reported as leaked|unregistered callers", _BAD_KEY),
        (r"consumer .{0,80}has been suspended", Meaning(UpstreamUnauthorized, "account_deactivated")),
        (r"prepayment credits|spending cap|billing (?:account|is disabled)|(?:enable|requires?) billing", _NO_MONEY),
        (r"location is not supported", Meaning(UpstreamForbidden, "unsupported_country_region_territory")),
        (r"input token count.{0,80}exceeds|exceeds the maximum number of tokens", Meaning(ContextLengthExceeded)),
        # The plan has none of this model at all, which the key is not to be blamed for.
        (r"quota exceeded for metric.{0,200}limit: 0\b", _NOT_ENTITLED),
    )
)
"""What a message means where Google has only that to tell failures apart; the first that fits counts."""

DAILY = "PerDay"
"""Stands in the id of a quota that does not open today."""

_KEY = re.compile(r"\bAIza[\w-]{10,}|\bAQ\.[\w-]{10,}|(?<=api_key:)[^\s'\"]+")
_RETRY = re.compile(r"retry in (\d+(?:\.\d+)?)\s*s", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as Google tells it: `wait` in seconds, `reasons` and `quotas` out of its details."""

    message: str
    code: int | None = None
    status: str | None = None
    wait: float | None = None
    reasons: tuple[str, ...] = ()
    quotas: tuple[str, ...] = ()


def read_trouble(body: Any) -> Trouble | None:
    """The error in `body`, which may be wrapped in an array; None when it tells of none."""
    if isinstance(body, list) and body:
        body = body[0]
    error = mapping(body).get("error")
    if not isinstance(error, dict):
        return Trouble(error) if isinstance(error, str) and error else None
    message, details = text(error.get("message")), [mapping(detail) for detail in items(error.get("details"))]
    return Trouble(
        message,
        count(error.get("code")),
        text(error.get("status")) or None,
        _wait(message, details),
        tuple(reason for detail in details if (reason := text(detail.get("reason")))),
        tuple(_quotas(details)),
    )


def _wait(message: str, details: list[Mapping[str, Any]]) -> float | None:
    told = (_SECONDS.fullmatch(text(detail.get("retryDelay"))) for detail in details)
    found = next((match for match in told if match), None) or _RETRY.search(message)
    return min(float(found[1]), DAY) if found else None


def _quotas(details: list[Mapping[str, Any]]) -> Iterator[str]:
    for detail in details:
        for violation in items(detail.get("violations")):
            yield text(mapping(violation).get("quotaId"))


def trouble_error(trouble: Trouble, status: int | None, wait: float | None, now: float) -> GatewayError:
    """The error for what Google said at `now` (seconds since the epoch), free of secrets.

    `status` is None inside an answer; `wait` is what a header asked for, in seconds.
    """
    said = Said(_KEY.sub("***", trouble.message), trouble.status or None)
    wait = trouble.wait if trouble.wait is not None else wait
    meaning = _meaning(trouble)
    if meaning is None and any(DAILY in quota for quota in trouble.quotas):
        return fault(UpstreamQuotaExhausted, said, code="usage_limit_reached", retry_after=_until_midnight(now))
    if meaning is None:
        status = status if status is not None else trouble.code
        known = STATUSES.get(trouble.status or "")
        meaning = Meaning(known or (type(status_error(status, "")) if status else UpstreamServerError))
    return fault(meaning.kind, said, code=meaning.code, retry_after=wait if meaning is not _NO_MONEY else None)


def _meaning(trouble: Trouble) -> Meaning | None:
    told = (REASONS[reason] for reason in trouble.reasons if reason in REASONS)
    seen = (meaning for pattern, meaning in TEXTS if pattern.search(trouble.message))
    return next(told, None) or next(seen, None)


def _until_midnight(now: float) -> float:
    return DAY - (now - PACIFIC) % DAY
