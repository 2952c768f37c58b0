"""A collector without a network, and spans as it gets them."""

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config.settings import TelemetrySettings
from core.errors import UpstreamUnreachable
from core.tracing import Tracing
from tests.fakes import FakeClock


class Collector:
    """Takes messages, or refuses them with a status, or cannot be reached."""

    def __init__(self) -> None:
        self.messages: list[ExportTraceServiceRequest] = []
        self.requests: list[Any] = []
        self.status: int | None = 200

    def call(self, request: Any, seconds: float, cancel: Any, max_bytes: int) -> tuple[int, dict[str, str], bytes]:
        self.requests.append(request)
        if self.status is None:
            raise UpstreamUnreachable("away")
        if self.status == 200:
            self.messages.append(ExportTraceServiceRequest.FromString(request.body))
        return self.status, {}, b""

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for message in self.messages
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class House:
    """Tracing with that collector, by a clock that stands still."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.collector = FakeClock(), Collector()
        telemetry = TelemetrySettings(**{"endpoint": "http://collector:4318", **settings})
        self.tracing = Tracing(telemetry, self.collector, self.clock)  # type: ignore[arg-type] # the part that is used

    def span(self, **headers: str) -> None:
        self.tracing.server_span("GET /x", {}, headers).end()


def attributes(span: Any) -> dict[str, Any]:
    """A span's attributes, or a resource's."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
