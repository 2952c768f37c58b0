"""The shape in which an error is told to a client on the OpenAI paths."""

from typing import Any

from pydantic import BaseModel


class ErrorDetail(BaseModel):
    """`type` and `code` are OpenAI's where one fits; `details` says whose limit, which window, what was tried."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None
    details: dict[str, Any] | None = None


class ErrorResponse(BaseModel):
    """`timestamp` is ISO 8601 in UTC."""

    error: ErrorDetail
    request_id: str | None = None
    timestamp: str
