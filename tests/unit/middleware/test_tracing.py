"""A request's span begins as it arrives and ends when its answer is over."""

from typing import Any

from flask import Flask, Response
from flask.testing import FlaskClient

from config.settings import TelemetrySettings
from middleware.access_log import AccessLog
from middleware.base import LayeredFlask
from middleware.request_context import RequestContexts
from middleware.tracing import RequestTraces
from services.tracing import TracingService
from tests.unit.core.tracing_kit import House, attributes

TRACE = "0af7651916cd43dd8448eb211c80319c"
CLIENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


class Door:
    """An app with a quiet page, a stream, and a page that falls over."""

    def __init__(self, *, follow: bool = True, traced: bool = True) -> None:
        self.house = House(endpoint=TelemetrySettings(endpoint="http://c").endpoint)
        self.lines: list[dict[str, Any]] = []
        service = TracingService(self.house.tracing, {}, self.house.clock, propagate=False) if traced else None
        app = LayeredFlask(__name__)
        app.testing = True
        _pages(app, self)
        app.install(
            [
                RequestContexts(self.house.clock, 0),
                RequestTraces(service, frozenset({"quiet"}), follow=follow),
                AccessLog(self.lines.append, self.house.clock),
            ]
        )
        self.client: FlaskClient = app.test_client()

    @property
    def spans(self) -> list[Any]:
        self.house.tracing.send()
        return self.house.collector.spans


def _pages(app: Flask, door: Door) -> None:
    def pieces() -> Any:
        yield b"one"
        assert door.house.tracing.waiting == 0, "it is not over yet"
        door.house.clock.advance(5)
        yield b"two"

    def broken() -> Response:
        raise RuntimeError("out of order")

    app.add_url_rule("/stream/<name>", "stream", lambda name: Response(pieces()))
    app.add_url_rule("/quiet", "quiet", lambda: "ok")
    app.add_url_rule("/broken", "broken", broken)


def test_a_span_lasts_as_long_as_its_answer_and_names_the_route_not_the_path() -> None:
    door = Door()
    assert door.client.get("/stream/my-name?secret=1", headers=CLIENT, buffered=True).data == b"onetwo"
    (span,) = door.spans
    assert span.name == "GET /stream/<name>"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 5_000_000_000
    assert attributes(span)["http.response.status_code"] == 200
    assert "my-name" not in str(span) + str(attributes(span))
    assert span.trace_id.hex() == TRACE == door.lines[0]["trace_id"]


def test_a_clients_trace_is_not_gone_on_with_where_that_is_not_wanted() -> None:
    door = Door(follow=False)
    door.client.get("/stream/x", headers=CLIENT, buffered=True)
    assert door.spans[0].trace_id.hex() != TRACE


def test_quiet_routes_and_a_gateway_that_traces_nothing_make_no_span() -> None:
    door = Door()
    door.client.get("/quiet", buffered=True)
    assert door.spans == []
    untraced = Door(traced=False)
    untraced.client.get("/stream/x", headers=CLIENT, buffered=True)
    assert untraced.spans == []
    assert "trace_id" not in untraced.lines[0]


def test_a_page_that_falls_over_ends_its_span_too() -> None:
    door = Door()
    try:
        door.client.get("/broken")
    except RuntimeError:
        pass
    (span,) = door.spans
    assert span.status.code == 2
