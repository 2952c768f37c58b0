"""ExchangeLog: requests and their answers, whole, as they may be written down."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from config.settings import RequestLogSettings
from core.clock import Clock
from core.redaction import MARGIN, Redactor
from schemas.chat import ChatRequest
from schemas.context import RequestContext
from schemas.outcome import Outcome
from schemas.stream import ChatChunk
from services.interceptors import Interceptor
from services.said import Said

Write = Callable[[Mapping[str, Any]], None]


class ExchangeLog(Interceptor):
    """Nothing is written without `write`. What cannot be written down fails no request."""

    def __init__(self, settings: RequestLogSettings, redactor: Redactor, write: Write | None, clock: Clock) -> None:
        self._max_bytes = settings.max_bytes
        self._redactor = redactor
        self._write = write
        self._clock = clock
        self._said: dict[int, Said] = {}
        self._log = structlog.get_logger(__name__)

    @property
    def active(self) -> bool:
        """True when requests are written down."""
        return self._write is not None

    def watch(
        self, request: ChatRequest, chunks: Iterator[ChatChunk], outcome: Outcome, request_id: str
    ) -> Iterator[ChatChunk]:
        """The same chunks; what they say is remembered until the stream is closed."""
        if self._write is None:
            return chunks
        said = self._said[id(outcome)] = Said(self._max_bytes + MARGIN)
        return said.heard(chunks)

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        """Hand over what was said."""
        said = self._said.pop(id(outcome), None)
        if said is not None:
            outcome.said = said.told(complete=outcome.finish_reason is not None)

    def note(self, context: RequestContext, method: str, endpoint: str, status: int, body: bytes | None) -> None:
        """Write down one exchange that is over; `body` is that of an answer that was sent at once."""
        if self._write is None:
            return
        try:
            self._write(self._line(context, method, endpoint, status, body))
        except Exception:  # noqa: BLE001 - the answer has been given, and a log is no reason to fail
            self._log.exception("exchange_not_logged", request_id=context.request_id)

    def _line(
        self, context: RequestContext, method: str, endpoint: str, status: int, body: bytes | None
    ) -> dict[str, Any]:
        outcome = context.outcome
        answer: Any = outcome.said if outcome is not None and outcome.said is not None else None
        line = {
            "timestamp": datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds"),
            "event": "exchange",
            "request_id": self._redactor.text(context.request_id),
            "method": method,
            "endpoint": endpoint,
            "status": status,
            "ip": self._redactor.text(context.client_ip),
            "caller": context.caller.name if context.caller is not None else None,
            "caller_id": context.caller.id if context.caller is not None else None,
            "ms": round((self._clock.monotonic() - context.started) * 1000, 2),
            "error": context.error,
            **(_told(outcome) if outcome is not None else {}),
            "request": self._shown(context.body if context.body is not None else context.raw_body),
            "response": self._shown(answer if answer is not None else body),
        }
        return {name: value for name, value in line.items() if value is not None}

    def _shown(self, value: Any) -> Any:
        return self._redactor.shown(value, self._max_bytes) if value else None


def _told(outcome: Outcome) -> dict[str, Any]:
    usage = outcome.usage
    return {
        "model": outcome.model,
        "stream": outcome.stream,
        "provider": outcome.provider,
        "upstream_model": outcome.upstream_model,
        "attempts": [
            {"provider": one.provider, "model": one.model, "error": one.error, "ms": round(one.seconds * 1000, 2)}
            for one in outcome.attempts
        ],
        "finish_reason": outcome.finish_reason,
        "failure": outcome.error,
        "first_token_ms": _ms(outcome.time_to_first_token),
        "upstream_ms": _ms(outcome.upstream_seconds),
        "queue_ms": _ms(outcome.queue_seconds),
        "usage": None
        if usage is None
        else {
            "uncached": usage.uncached,
            "read": usage.read,
            "write_short": usage.write_short,
            "write_long": usage.write_long,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "source": usage.source,
        },
        "cost_usd": outcome.cost,
        "notional": outcome.notional or None,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
