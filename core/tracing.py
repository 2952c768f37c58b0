"""Spans by OpenTelemetry's SDK, which is an extra of its own and the business of this file alone."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from config.settings import TelemetrySettings
from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError
from core.providers.base import UpstreamRequest
from core.tracing_packages import MISSING, missing
from core.transport import Transport

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span, Tracer

Attributes = Mapping[str, str | bool | int | float | tuple[str, ...] | None]
BATCH = 256
"""Spans in one message: writing it takes a few milliseconds, in which nothing else runs."""
UNREADABLE = (400, 413, 422)
"""What a collector answers that will never take a message."""
PATH = "/v1/traces"


class OpenSpan:
    """A span that has begun. What is None is not written down."""

    def __init__(self, span: "Span", tracing: "Tracing") -> None:
        self._span = span
        self._tracing = tracing

    @property
    def trace_id(self) -> str:
        """The id of its trace, in 32 hexadecimal digits."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def child(self, name: str, attributes: Attributes) -> "OpenSpan":
        """A span of something that another server is asked."""
        return self._tracing.client_span(name, attributes, self._span)

    def set(self, attributes: Attributes) -> None:
        """Write down what is known."""
        self._span.set_attributes(_given(attributes))

    def event(self, name: str, attributes: Attributes) -> None:
        """Something has just happened."""
        self._span.add_event(name, _given(attributes), self._tracing.now())

    def end(self, error: str | None = None) -> None:
        """It is over; `error` is a word for what went wrong."""
        if error is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end(self._tracing.now())

    def headers(self) -> dict[str, str]:
        """`traceparent`, and `tracestate` where there is one."""
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, set_span_in_context(self._span))
        return carrier


class Tracing:
    """Makes spans, keeps those that are over, and sends them when it is told to: no thread runs beside the requests."""

    def __init__(self, settings: TelemetrySettings, transport: Transport, clock: Clock) -> None:
        """Raises ValueError when the packages for it are missing, or no endpoint is set."""
        if settings.endpoint is None or missing(settings):
            raise ValueError(MISSING)
        self._url = settings.endpoint.rstrip("/").removesuffix(PATH) + PATH
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._seconds = settings.timeout
        self._transport = transport
        self._clock = clock
        self._over: deque[ReadableSpan] = deque(maxlen=settings.queue)
        self._tracer = _tracer(settings, self._over)

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return int(self._clock.now() * 1e9)

    def server_span(self, name: str, attributes: Attributes, headers: Mapping[str, str]) -> OpenSpan:
        """A span of something that this server is asked; `headers` (names in lower case) may name the client's own."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(headers, Context())
        return self._begin(name, SpanKind.SERVER, attributes, context)

    def client_span(self, name: str, attributes: Attributes, parent: "Span") -> OpenSpan:
        """A span within `parent`."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, set_span_in_context

        return self._begin(name, SpanKind.CLIENT, attributes, set_span_in_context(parent, Context()))

    @property
    def waiting(self) -> int:
        """How many spans are not sent yet."""
        return len(self._over)

    def send(self) -> int:
        """Send what is over, and tell how many spans that were. What cannot be sent waits for the next time.

        What the collector cannot read is lost, as it would stand in the way of all that comes after it. Raises
        GatewayError.
        """
        sent = 0
        while self._over:
            with self._batch() as spans:
                self._post(spans)
            sent += len(spans)
        return sent

    @contextmanager
    def _batch(self) -> "Iterator[list[ReadableSpan]]":
        """The oldest spans, which go back into the queue when something fails; of a full one the oldest are lost."""
        spans = [self._over.popleft() for _ in range(min(BATCH, len(self._over)))]
        try:
            yield spans
        except Unreadable:
            raise
        except BaseException:
            room = (self._over.maxlen or 0) - len(self._over)
            self._over.extendleft(reversed(spans[-room:] if room else []))
            raise

    def _post(self, spans: "list[ReadableSpan]") -> None:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        body = encode_spans(spans).SerializePartialToString()
        headers = {"Content-Type": "application/x-protobuf", **self._headers}
        request = UpstreamRequest(self._url, headers, body)
        status, _, _ = self._transport.call(request, self._seconds, Cancellation(), max_bytes=65_536)
        if status in UNREADABLE:
            raise Unreadable(f"the collector answered HTTP {status}")
        if status >= 300:
            raise Refused(f"the collector answered HTTP {status}")

    def _begin(self, name: str, kind: Any, attributes: Attributes, context: "Context") -> OpenSpan:
        span = self._tracer.start_span(name, context, kind, _given(attributes), start_time=self.now())
        return OpenSpan(span, self)


class Refused(GatewayError):
    """The collector does not take the spans."""

    code = "traces_refused"


class Unreadable(Refused):
    """The collector takes these spans neither now nor later."""


def _given(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _tracer(settings: TelemetrySettings, over: "deque[ReadableSpan]") -> "Tracer":
    """A tracer of our own: nothing is set for the process as a whole, so that two apps can live in it."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    class Keeping(SpanProcessor):
        def on_end(self, span: "ReadableSpan") -> None:
            if span.context is not None and span.context.trace_flags.sampled:
                over.append(span)

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.sample)),
        resource=Resource.create({"service.name": settings.service_name}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(Keeping())
    return provider.get_tracer("glm-gateway")
