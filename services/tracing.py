"""What is told of a request in its trace, under the names of OpenTelemetry's conventions; never what was said."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import structlog
from gevent import Timeout

from config.settings import ProviderSettings, Settings
from core.clock import Clock
from core.errors import ClientGone, GatewayError
from core.tracing import Attributes, OpenSpan, Tracing
from core.transport import Transport
from schemas.chat import ChatRequest
from schemas.outcome import Outcome
from schemas.stream import Finished
from schemas.trace import AttemptTrace, RequestTrace

NAMES: Mapping[str, str] = {
    "gemini": "gcp.gemini",
    "grok": "x_ai",
    "glm": "z_ai",
    "glm-web": "z_ai",
    "glm-anthropic": "z_ai",
    "ohmygpt-anthropic": "ohmygpt",
}
"""What the conventions call a kind of provider, where that is not its own name here."""
PORTS = {"http": 80, "https": 443}
COMPLAIN_SECONDS = 60.0
FLUSH_SECONDS = 2.0


class TracingService:
    """Begins a trace for each request, and sends what has become of it."""

    def __init__(
        self, tracing: Tracing, providers: Mapping[str, ProviderSettings], clock: Clock, *, propagate: bool
    ) -> None:
        self._tracing = tracing
        self._names = {name: NAMES.get(one.kind, one.kind) for name, one in providers.items()}
        self._clock = clock
        self._propagate = propagate
        self._complained = float("-inf")
        self._log = structlog.get_logger(__name__)

    def begin(self, method: str, route: str, request_id: str, headers: Mapping[str, str]) -> "TracedRequest":
        """The trace of a request, which goes on with the one that `headers` name, if they do."""
        about = {"http.request.method": method, "http.route": route, "gateway.request_id": request_id}
        span = self._tracing.server_span(f"{method} {route}", about, headers)
        return TracedRequest(span, self._names, propagate=self._propagate)

    def send(self) -> None:
        """Send what is over: every second. A collector that is away is complained of once a minute."""
        try:
            self._tracing.send()
        except GatewayError as error:
            now = self._clock.monotonic()
            if now - self._complained >= COMPLAIN_SECONDS:
                self._complained = now
                self._log.warning("traces_not_sent", error=error.message, waiting=self._tracing.waiting)

    def close(self) -> None:
        """Send what is left, if that does not take long."""
        with Timeout(FLUSH_SECONDS, False):  # noqa: FBT003 - gevent's word for "raise nothing"
            self.send()


def spans_of(settings: Settings, transport: Transport, clock: Clock) -> Tracing | None:
    """None when nothing is to be traced. Raises ValueError when it is, and the packages for it are missing."""
    return None if settings.telemetry.endpoint is None else Tracing(settings.telemetry, transport, clock)


def tracing_of(spans: Tracing | None, settings: Settings, clock: Clock) -> TracingService | None:
    """None when nothing is to be traced."""
    if spans is None:
        return None
    return TracingService(spans, settings.providers, clock, propagate=settings.telemetry.propagate)


class TracedRequest(RequestTrace):
    """One request's span, and those of its tries within it."""

    def __init__(self, span: OpenSpan, names: Mapping[str, str], *, propagate: bool) -> None:
        self._span = span
        self._names = names
        self._propagate = propagate
        self._tries = 0

    @property
    def trace_id(self) -> str:
        """The trace's id, for the log."""
        return self._span.trace_id

    def attempt(
        self, operation: str, provider: str, model: str, credential: str, request: ChatRequest | None = None
    ) -> AttemptTrace:
        self._tries += 1
        about: Attributes = {
            **_who(operation, self._names.get(provider, provider), model),
            "gateway.provider": provider,
            "gateway.token_id": credential,
            "gateway.attempt": self._tries,
        }
        asked = _asked(request) if request is not None else {}
        span = self._span.child(f"{operation} {model}", {**about, **asked})
        return TracedAttempt(span, model, propagate=self._propagate)

    def ended(self, status: int, error: str | None, caller: str | None, outcome: Outcome | None) -> None:
        """The answer is over."""
        self._span.set({"http.response.status_code": status, "gateway.caller": caller})
        failed = error
        if outcome is not None:
            self._span.set(_told(outcome, self._names))
            failed = failed or outcome.error
        # What a client did wrong, or that it left, is no failure of the server's.
        mended = failed == ClientGone.code or (400 <= status < 500)
        if failed is not None:
            self._span.set({"error.type": failed})
        self._span.end(None if mended or (failed is None and status < 500) else failed or str(status))


class TracedAttempt(AttemptTrace):
    """One try's span."""

    def __init__(self, span: OpenSpan, model: str, *, propagate: bool) -> None:
        self._span = span
        self._model = model
        self._propagate = propagate

    def asking(self, url: str) -> Mapping[str, str]:
        self._span.set(_server(url))
        return self._span.headers() if self._propagate else {}

    def first_content(self, seconds: float) -> None:
        self._span.event("gen_ai.first_token", {"gen_ai.response.time_to_first_chunk": seconds})
        self._span.set({"gen_ai.response.time_to_first_chunk": seconds, "gen_ai.response.model": self._model})

    def finished(self, end: Finished) -> None:
        usage = end.usage
        self._span.set({"gen_ai.response.finish_reasons": (end.reason,)})
        if usage is None:
            return
        writes = [tokens for tokens in (usage.write_short, usage.write_long) if tokens is not None]
        self._span.set(
            {
                "gen_ai.usage.input_tokens": usage.prompt,
                "gen_ai.usage.output_tokens": usage.output,
                "gen_ai.usage.cache_read.input_tokens": usage.read,
                "gen_ai.usage.cache_creation.input_tokens": sum(writes) if writes else None,
                "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
            }
        )

    def used(self, tokens: int | None) -> None:
        self._span.set({"gen_ai.usage.input_tokens": tokens, "gen_ai.response.model": self._model})

    def ended(self, error: str | None) -> None:
        if error == ClientGone.code:
            # Nobody's failure, and told all the same.
            self._span.set({"error.type": error})
            error = None
        self._span.end(error)


def _who(operation: str, provider: str, model: str) -> dict[str, str]:
    """`gen_ai.system` is what the conventions called it before, and what many still look for."""
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.system": provider,
        "gen_ai.request.model": model,
    }


def _asked(request: ChatRequest) -> dict[str, str | bool | int | float | None]:
    sampling, wanted = request.sampling, request.response_format
    return {
        "gen_ai.request.stream": request.stream,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.top_k": sampling.top_k,
        "gen_ai.request.frequency_penalty": sampling.frequency_penalty,
        "gen_ai.request.presence_penalty": sampling.presence_penalty,
        "gen_ai.output.type": None if wanted is None else "text" if wanted.kind == "text" else "json",
    }


def _told(outcome: Outcome, names: Mapping[str, str]) -> dict[str, str | int | float | None]:
    """Tokens are told of the tries alone: whoever adds up a trace's spans would count them twice."""
    return {
        "gen_ai.request.model": outcome.model,
        "gen_ai.response.model": outcome.upstream_model if outcome.finish_reason is not None else None,
        "gen_ai.provider.name": names.get(outcome.provider or "", outcome.provider),
        "gen_ai.conversation.id": outcome.conversation,
        "gateway.provider": outcome.provider,
        "gateway.route": outcome.plan.rule if outcome.plan is not None else None,
        "gateway.attempts": len(outcome.attempts),
        "gateway.cache": outcome.cache,
        "gateway.cost_usd": outcome.cost,
        "gateway.queue_seconds": outcome.queue_seconds or None,
        "gateway.fetch_seconds": outcome.fetch_seconds or None,
    }


def _server(url: str) -> dict[str, str | int | None]:
    try:
        parts = urlsplit(url)
        return {"server.address": parts.hostname, "server.port": parts.port or PORTS.get(parts.scheme)}
    except ValueError:
        return {}
