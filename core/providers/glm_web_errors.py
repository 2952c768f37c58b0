"""What chat.z.ai means when it refuses, over HTTP or within a stream."""

import re
from collections.abc import Mapping
from typing import Any

from core.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamServerError,
)
from core.providers.base import status_error
from schemas.codec import loads

_LONGEST_MESSAGE = 500
_LONGEST_WAIT = 32 * 86_400.0
"""A month and a day: the longest window that any plan has."""
_TOKEN = re.compile(r"\beyJ[\w-]{8,}[\w.-]*")
_DIGITS = re.compile(r"[45]\d\d")


def http_error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The error of an HTTP status of 400 or more: FastAPI's `{"detail": …}`, or a page of the site's front."""
    if is_page(body) and status in (403, 405):
        return front_refused()
    said = _read(body)
    found = find_error(said)
    detail = _detail(found if found is not None else said)
    message = _clean(detail) or f"the site answered with HTTP {status}"
    return _known(detail) or status_error(status, message, _seconds(headers))


def body_error(body: bytes) -> GatewayError:
    """The error of an answer that is no stream of events, with a status that promised one."""
    if is_page(body):
        return front_refused()
    found = find_error(_read(body))
    return said_error(found) if found is not None else UpstreamBroken("the site sent no event stream")


def is_page(body: bytes) -> bool:
    """True for HTML, which only the site's front sends in this place."""
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def front_refused() -> GatewayError:
    """The error for a page in the place of an answer."""
    return UpstreamForbidden("the site's front refused the request: it sent a web page and no answer")


def find_error(frame: object) -> object | None:
    """What a frame says went wrong, wherever it says so; None when nothing did."""
    if not isinstance(frame, dict):
        return None
    data = frame.get("data")
    places: list[object] = [frame, data, frame.get("inner")]
    if isinstance(data, dict):
        places += [data.get("data"), data.get("inner")]
    for place in places:
        found: object = place.get("error") if isinstance(place, dict) else None
        if found:
            return found
    return frame if data is None and frame.get("detail") else None


def said_error(error: object) -> GatewayError:
    """The error for what `find_error` found."""
    detail = _detail(error)
    code = error.get("code") if isinstance(error, dict) else None
    code = None if code is None or isinstance(code, bool) else str(code)
    message = _clean(detail) or "the site reported an error without saying which"
    raised = _known(f"{code} {detail}")
    if raised is None and code is not None and _DIGITS.fullmatch(code):
        raised = status_error(int(code), message)
    raised = raised or UpstreamServerError(message)
    if isinstance(raised, UpstreamError):
        raised.provider_code = code
    return raised


def _known(text: str) -> GatewayError | None:
    """The error for the two refusals that the site spells out in capitals."""
    if "MODEL_CONCURRENCY" in text:
        return UpstreamOverloaded("the model has no free capacity at the site")
    if "FRONTEND_CAPTCHA" not in text:
        return None
    return UpstreamForbidden(
        "the site asks for a human check in the browser, which this gateway does not get around",
        code="upstream_human_check",
    )


def _detail(error: object) -> str:
    """The text of an error: a string, FastAPI's list of `{"msg"}`, or an object with one of the usual names."""
    if isinstance(error, dict):
        named = (error.get(name) for name in ("detail", "message", "msg", "content", "code"))
        return next((text for text in map(_detail, named) if text), "")
    if isinstance(error, list):
        return "; ".join(text for text in map(_detail, error) if text)
    return error.strip() if isinstance(error, str) else ""


def _clean(text: str) -> str:
    """Bounded, and free of anything that looks like a token of the site."""
    return _TOKEN.sub("[token]", text)[:_LONGEST_MESSAGE]


def _read(body: bytes) -> Any:
    try:
        return loads(body)
    except ValueError:
        return None


def _seconds(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "").strip()
    return min(float(value), _LONGEST_WAIT) if value.isascii() and value.isdigit() else None
