"""Writes one line for every answer, when it is over."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Request, Response

from middleware.base import Clock, Next, context_of, endpoint_of
from schemas.context import RequestContext
from schemas.outcome import Outcome


class AccessLog:
    """Hands one flat mapping an answer to `write`; a streamed answer is over when it is closed."""

    def __init__(self, write: Callable[[dict[str, Any]], None], clock: Clock) -> None:
        self._write = write
        self._clock = clock

    def __call__(self, request: Request, proceed: Next) -> Response:
        response = proceed(request)
        context, endpoint, method, status = (
            context_of(request),
            endpoint_of(request),
            request.method,
            response.status_code,
        )
        response.call_on_close(lambda: self._write(self._line(context, method, endpoint, status)))
        return response

    def _line(self, context: RequestContext, method: str, endpoint: str, status: int) -> dict[str, Any]:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds"),
            "level": _level(status, context),
            "event": "request",
            "request_id": context.request_id,
            "method": method,
            "endpoint": endpoint,
            "status": status,
            "ms": _ms(self._clock.monotonic() - context.started),
            "ip": context.client_ip,
        }
        if context.trace_id is not None:
            line["trace_id"] = context.trace_id
        if context.caller is not None:
            # A token says itself what its bearer is called, and names are not unique.
            line["caller"], line["caller_id"] = context.caller.name, context.caller.id
        if context.error is not None:
            line["error"] = context.error
        if context.outcome is not None:
            line.update(_told_of(context.outcome))
        return line


def _level(status: int, context: RequestContext) -> str:
    failed = context.outcome.error if context.outcome is not None else None
    if status >= 500:
        return "error"
    # A stream that broke was a 200 when it began.
    return "warning" if status >= 400 or failed is not None else "info"


def _told_of(outcome: Outcome) -> dict[str, Any]:
    usage = outcome.usage
    told = {
        "model": outcome.model,
        "stream": outcome.stream,
        "provider": outcome.provider,
        "route": outcome.plan.rule if outcome.plan else None,
        "upstream_model": outcome.upstream_model,
        "token_id": outcome.credential,
        "attempts": len(outcome.attempts),
        "failed": [attempt.error for attempt in outcome.attempts if attempt.error] or None,
        "dropped": outcome.dropped or None,
        "repairs": outcome.repairs or None,
        "finish_reason": outcome.finish_reason,
        "error": outcome.error,
        "first_token_ms": _ms(outcome.time_to_first_token),
        "upstream_ms": _ms(outcome.upstream_seconds),
        "fetch_ms": _ms(outcome.fetch_seconds or None),
        "input_tokens": usage.prompt if usage else None,
        "cached_tokens": usage.read if usage else None,
        "output_tokens": usage.output if usage else None,
        "usage_source": usage.source if usage else None,
        "cost_usd": outcome.cost,
        "notional": outcome.notional or None,
        "landed": outcome.landed or None,
        "cache": outcome.cache,
    }
    return {name: value for name, value in told.items() if value is not None}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
