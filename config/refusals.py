"""What is answered to bytes that are no request, in the form of the gateway's errors."""

import json
from datetime import UTC, datetime
from uuid import uuid4

from gunicorn.http import errors

REFUSALS: tuple[tuple[type[BaseException], str, str, str], ...] = (
    (TimeoutError, "408 Request Timeout", "request_timeout", "The request did not arrive in time."),
    (errors.LimitRequestLine, "414 URI Too Long", "uri_too_long", "The URL is too long."),
    (
        errors.LimitRequestHeaders,
        "431 Request Header Fields Too Large",
        "headers_too_large",
        "The request's headers are too large, or too many.",
    ),
    (errors.UnsupportedTransferCoding, "501 Not Implemented", "bad_request", "This transfer coding is not supported."),
    (errors.ExpectationFailed, "417 Expectation Failed", "bad_request", "What is expected cannot be met."),
    (errors.ParseException, "400 Bad Request", "bad_request", "The request is not readable HTTP."),
)
"""Failure, status, code and message; the first row that fits counts."""
OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


def refusal(failure: BaseException) -> bytes | None:
    """The whole answer to a request that cannot be read; None when it is not the request that is wrong."""
    if isinstance(failure, OURS):
        return None
    for kind, status, code, message in REFUSALS:
        if isinstance(failure, kind):
            return _answer(status, code, message)
    return None


def _answer(status: str, code: str, message: str) -> bytes:
    request_id = uuid4().hex
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = {"error": error, "request_id": request_id, "timestamp": datetime.now(UTC).isoformat()}
    data = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nServer: glm-gateway\r\nContent-Type: application/json\r\nX-Request-ID: {request_id}\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + data
