"""What providers refuse, in the words of each form, and what a client is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.providers_kit import KINDS, Kind
from tests.upstreams.answers import error_event, event, glm_error
from tests.upstreams.anthropic_answers import anthropic_error, anthropic_error_event
from tests.upstreams.gemini_answers import error_object, gemini_error
from tests.upstreams.ollama_answers import error_line, ollama_error
from tests.upstreams.openai_answers import openai_error, openai_error_event
from tests.upstreams.steps import JSON, Head, Step

FORMS = pytest.mark.parametrize("kind", [KINDS[name] for name in ("anthropic", "openai", "glm")], ids=str)
SAID = "simulated failure of the model"
QUOTED = f"{SAID}, for key KEY and Bearer KEY"


@dataclass(frozen=True)
class Told:
    """What a client is told: status, type and code in OpenAI's words, status and type in Anthropic's.

    `final` tells the SDKs not to try again by themselves.
    """

    status: int
    type: str
    code: str | None
    claude_status: int
    claude_type: str
    final: bool = False


WRONG = Told(400, "invalid_request_error", None, 400, "invalid_request_error")
OUR_KEY = Told(502, "server_error", "upstream_unauthorized", 502, "api_error", final=True)
NO_MONEY = Told(429, "insufficient_quota", "insufficient_quota", 429, "rate_limit_error", final=True)
FORBIDDEN = Told(403, "permission_error", "upstream_forbidden", 403, "permission_error")
NOT_ENTITLED = Told(403, "permission_error", "model_not_found", 403, "permission_error")
NO_MODEL = Told(404, "invalid_request_error", "model_not_found", 404, "not_found_error")
TOO_LARGE = Told(413, "invalid_request_error", "request_too_large", 413, "request_too_large")
TOO_FAST = Told(429, "rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_error")
FAILED = Told(502, "server_error", "upstream_server_error", 502, "api_error")
BUSY = Told(503, "service_unavailable_error", "overloaded", 529, "overloaded_error")
TOO_LATE = Told(504, "server_error", "upstream_timeout", 504, "timeout_error")
BROKEN = Told(502, "server_error", "upstream_broken", 502, "api_error")
EMPTY = Told(502, "server_error", "upstream_empty_answer", 502, "api_error")
UNREACHABLE = Told(502, "server_error", "upstream_unreachable", 502, "api_error")

Words = tuple[Any, ...]
REFUSALS: Mapping[str, tuple[Told, Mapping[str, Words]]] = {
    "bad request": (
        WRONG,
        {
            "anthropic": (400, "invalid_request_error"),
            "openai": (400, "invalid_request_error", None),
            "glm": (400, "1210"),
            "gemini": (400, "INVALID_ARGUMENT", ""),
            "ollama": (400, "it does not support tools"),
        },
    ),
    "bad key": (
        OUR_KEY,
        {
            "anthropic": (401, "authentication_error"),
            "openai": (401, "invalid_request_error", "invalid_api_key"),
            "glm": (401, "1000"),
            "gemini": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        },
    ),
    "no money": (
        NO_MONEY,
        {
            "anthropic": (402, "billing_error"),
            "openai": (429, "insufficient_quota", "insufficient_quota"),
            "glm": (429, "1113"),
        },
    ),
    "not entitled": (
        NOT_ENTITLED,
        {"anthropic": (403, "permission_error"), "glm": (403, "1220")},
    ),
    "forbidden": (
        FORBIDDEN,
        {
            "openai": (403, "permission_error", "insufficient_permissions"),
            "glm": (429, "1314"),
            "gemini": (403, "PERMISSION_DENIED", ""),
        },
    ),
    "no such model": (
        NO_MODEL,
        {
            "anthropic": (404, "not_found_error"),
            "openai": (404, "invalid_request_error", "model_not_found"),
            "glm": (400, "1211"),
            "gemini": (404, "NOT_FOUND", ""),
            "ollama": (404, "model 'm' not found"),
        },
    ),
    "too large": (TOO_LARGE, {"anthropic": (413, "request_too_large")}),
    "too fast": (
        TOO_FAST,
        {
            "anthropic": (429, "rate_limit_error"),
            "openai": (429, "requests", "rate_limit_exceeded"),
            "glm": (429, "1302"),
            "gemini": (429, "RESOURCE_EXHAUSTED", ""),
        },
    ),
    "failed": (
        FAILED,
        {
            "anthropic": (500, "api_error"),
            "openai": (500, "server_error", None),
            "glm": (500, "1234"),
            "gemini": (500, "INTERNAL", ""),
            "ollama": (500, ""),
        },
    ),
    "busy": (
        BUSY,
        {
            "anthropic": (529, "overloaded_error"),
            "openai": (503, "service_unavailable_error", "server_is_overloaded"),
            "glm": (429, "1305"),
            "gemini": (503, "UNAVAILABLE", ""),
            "ollama": (503, "server busy, please try again"),
        },
    ),
    "too late": (TOO_LATE, {"anthropic": (504, "timeout_error"), "gemini": (504, "DEADLINE_EXCEEDED", "")}),
}
"""What a provider refuses, what that is for the client, and the status and the words of each form for it."""
ROWS = [
    pytest.param(KINDS[form], words, told, id=f"{form}-{name}")
    for name, (told, forms) in REFUSALS.items()
    for form, words in forms.items()
]
EVERY_REFUSAL = pytest.mark.parametrize(("kind", "words", "told"), ROWS)


def refusal(kind: Kind, words: Words, headers: Mapping[str, str] | None = None) -> list[Step]:
    """An HTTP error in the form of `kind`, which quotes the key."""
    status, *rest = words
    message = _message(kind, rest)
    if kind.name == "anthropic":
        return anthropic_error(rest[0], status, message, headers)
    if kind.name == "openai":
        return openai_error(status, rest[0], rest[1], message, headers=headers)
    if kind.name == "gemini":
        return gemini_error(status, rest[0], message)
    if kind.name == "ollama":
        return ollama_error(status, message)
    _, body, end = glm_error(rest[0], status, message)
    length = len(body.data)  # type: ignore[attr-defined] # its second step is the bytes
    return [Head(status, {**JSON, **(headers or {})}, length), body, end]


def told_event(kind: Kind, words: Words) -> bytes:
    """The same in a stream."""
    status, *rest = words
    message = _message(kind, rest)
    if kind.name == "anthropic":
        return anthropic_error_event(rest[0], message)
    if kind.name == "openai":
        return openai_error_event(rest[0], rest[1], message)
    if kind.name == "gemini":
        return event(error_object(status, rest[0], message))
    return error_line(message) if kind.name == "ollama" else error_event(rest[0], message)


def _message(kind: Kind, words: list[Any]) -> str:
    """What is said, with the words behind it by which Gemini and Ollama tell one failure from another."""
    if kind.name == "ollama":
        return f"{SAID} {words[-1]}".strip()
    more = words[-1] if kind.name == "gemini" else ""
    return f"{QUOTED.replace('KEY', kind.key)} {more}".strip()
