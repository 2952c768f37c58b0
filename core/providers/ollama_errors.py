"""What Ollama says when it fails: nothing but a sentence (https://docs.ollama.com/api/errors)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import (
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from core.providers.base import status_error
from core.providers.foreign_json import mapping
from core.providers.openai_faults import Said, fault, http_code, read_said

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Meaning:
    """Our error, the `code` the client sees (None: the class's own), and seconds to wait where the cause passes."""

    kind: type[GatewayError]
    code: str | None = None
    wait: float | None = None
    param: str | None = None


THINKING = "thinking"
"""The parameter that a model refuses when it cannot think."""

TEXTS: tuple[tuple[re.Pattern[str], Meaning], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), meaning)
    for pattern, meaning in (
        (r"model .{0,200}not found|try pulling it", Meaning(ModelNotFound)),
        (r"does not support thinking|think value .{0,40}not supported", Meaning(InvalidRequest, param=THINKING)),
        (r"does not support tools", Meaning(InvalidRequest, param="tools")),
        (r"does not support", Meaning(InvalidRequest)),
        (r"(?:longer than|exceed\w*).{0,40}(?:context length|available context)", Meaning(ContextLengthExceeded)),
        (r"context length.{0,40}exceed|prompt (?:is )?too long", Meaning(ContextLengthExceeded)),
        (r"(?:hourly|session) usage limit", Meaning(UpstreamQuotaExhausted, "usage_limit_reached", HOUR)),
        (r"(?:weekly|monthly) usage limit", Meaning(UpstreamQuotaExhausted, "usage_limit_reached", 6 * HOUR)),
        (r"server busy|maximum pending requests|requires more system memory", Meaning(UpstreamOverloaded)),
    )
)
"""What a message means, whatever the status; the first that fits counts. Ollama's cloud tells of no reset time."""

NOT_SIGNED_IN = Meaning(UpstreamForbidden, "model_not_found")
"""A server of one's own that is not signed in to Ollama's cloud: it serves its other models all the same."""


def ollama_error(body: Any, status: int | None, wait: float | None = None) -> GatewayError | None:
    """The error that `body` tells of; None when it tells of none.

    `status` is None inside an answer; `wait` is what a header asked for, in seconds.
    """
    said = read_said(body)
    if said is None:
        return None
    meaning = next((meaning for pattern, meaning in TEXTS if pattern.search(said.message)), None)
    if meaning is None:
        meaning = _by_status(said, status, mapping(body))
    wait = meaning.wait if wait is None else wait
    return fault(meaning.kind, said, code=meaning.code, param=meaning.param, retry_after=wait)


def _by_status(said: Said, status: int | None, body: Mapping[str, Any]) -> Meaning:
    if "signin_url" in body:
        return NOT_SIGNED_IN
    status = status or http_code(said.code)
    if status is None:
        unauthorized = said.message.strip().lower() == "unauthorized"
        return Meaning(UpstreamUnauthorized if unauthorized else UpstreamServerError)
    return Meaning(type(status_error(status, "")))
