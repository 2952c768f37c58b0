"""Spans are made by the SDK, kept, and sent as OTLP; nothing is made, kept or sent without being told to."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import core.tracing_packages
from config.settings import TelemetrySettings
from core.errors import GatewayError
from core.tracing import BATCH, Tracing
from core.tracing_packages import missing
from tests.fakes import FakeClock
from tests.unit.core.tracing_kit import Collector, House, attributes

ROOT = Path(__file__).resolve().parents[3]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_span_and_one_within_it_are_sent_as_they_were() -> None:
    house = House(headers={"x-collector-key": SecretStr("k")}, service_name="our-gateway")
    outer = house.tracing.server_span("POST /x", {"a": 1, "nothing": None, "list": ("x", "y")}, {})
    house.clock.advance(1)
    inner = outer.child("chat m", {"b": "two"})
    house.clock.advance(2)
    inner.event("first", {"after": 2.0})
    inner.end("upstream_timeout")
    outer.set({"c": True})
    house.clock.advance(3)
    outer.end()
    assert house.tracing.send() == 2
    sent_inner, sent_outer = house.collector.spans
    assert (sent_outer.name, sent_outer.kind, sent_outer.status.code) == ("POST /x", 2, 0)
    assert (sent_inner.name, sent_inner.kind, sent_inner.status.code) == ("chat m", 3, 2)
    assert sent_inner.parent_span_id == sent_outer.span_id
    assert sent_inner.trace_id == sent_outer.trace_id == bytes.fromhex(outer.trace_id)
    began = int(house.clock.now() * 1e9) - 6_000_000_000
    assert (sent_outer.start_time_unix_nano, sent_outer.end_time_unix_nano) == (began, began + 6_000_000_000)
    assert (sent_inner.start_time_unix_nano, sent_inner.end_time_unix_nano) == (began + 10**9, began + 3 * 10**9)
    assert [(event.name, event.time_unix_nano) for event in sent_inner.events] == [("first", began + 3 * 10**9)]
    assert attributes(sent_inner) == {"b": "two", "error.type": "upstream_timeout"}
    assert set(attributes(sent_outer)) == {"a", "list", "c"}
    (request,) = house.collector.requests
    assert request.url == "http://collector:4318/v1/traces"
    assert request.headers["x-collector-key"] == "k"
    resource = house.collector.messages[0].resource_spans[0].resource
    assert attributes(resource)["service.name"] == "our-gateway"


@pytest.mark.parametrize("endpoint", ["http://c:1", "http://c:1/", "http://c:1/v1/traces"])
def test_the_path_may_be_given_or_left_out(endpoint: str) -> None:
    house = House(endpoint=endpoint)
    house.span()
    house.tracing.send()
    assert house.collector.requests[0].url == "http://c:1/v1/traces"


def test_a_clients_trace_is_gone_on_with_and_can_be_handed_on() -> None:
    house = House()
    outer = house.tracing.server_span("x", {}, {"traceparent": TRACEPARENT, "tracestate": "vendor=1"})
    inner = outer.child("y", {})
    headers = inner.headers()
    inner.end()
    outer.end()
    house.tracing.send()
    sent_inner, sent_outer = house.collector.spans
    assert sent_outer.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c" == outer.trace_id
    assert sent_outer.parent_span_id.hex() == "b7ad6b7169203331"
    assert headers["traceparent"] == f"00-{outer.trace_id}-{sent_inner.span_id.hex()}-01"
    assert headers["tracestate"] == "vendor=1"


@pytest.mark.parametrize("value", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "ff" + TRACEPARENT[2:]])
def test_what_is_no_trace_begins_a_new_one(value: str) -> None:
    house = House()
    house.span(traceparent=value)
    house.tracing.send()
    (span,) = house.collector.spans
    assert not span.parent_span_id
    assert re.fullmatch("[0-9a-f]{32}", span.trace_id.hex())


def test_only_the_share_that_is_wanted_is_kept_and_a_client_decides_for_its_own() -> None:
    house = House(sample=0.0)
    house.span()
    house.span(traceparent=TRACEPARENT)
    house.span(traceparent=TRACEPARENT[:-1] + "0")
    assert house.tracing.send() == 1
    flags = House(sample=0.0).tracing.server_span("x", {}, {}).headers()["traceparent"].rpartition("-")[2]
    assert int(flags, 16) & 1 == 0, "whoever is asked next is told not to keep it either"


def test_many_spans_go_in_several_messages() -> None:
    house = House()
    for _ in range(BATCH + 1):
        house.span()
    assert house.tracing.send() == BATCH + 1
    assert len(house.collector.messages) == 2
    assert house.tracing.send() == 0


@pytest.mark.parametrize("status", [None, 401, 503])
def test_what_cannot_be_sent_waits_and_the_oldest_go_when_there_are_too_many(status: int | None) -> None:
    house = House(queue=3)
    house.collector.status = status
    names = ["a", "b", "c", "d"]
    for name in names:
        house.tracing.server_span(name, {}, {}).end()
    with pytest.raises(GatewayError):
        house.tracing.send()
    assert house.tracing.waiting == 3
    house.collector.status = 200
    assert house.tracing.send() == 3
    assert [span.name for span in house.collector.spans] == names[1:]


def test_what_the_collector_cannot_read_stands_in_nobodys_way() -> None:
    house = House()
    for _ in range(BATCH + 1):
        house.span()
    house.collector.status = 400
    with pytest.raises(GatewayError):
        house.tracing.send()
    house.collector.status = 200
    assert house.tracing.send() == 1


def test_what_comes_while_a_message_fails_has_the_better_right_to_stay() -> None:
    house = House(queue=2)
    house.tracing.server_span("old", {}, {}).end()
    house.tracing.server_span("older", {}, {}).end()
    house.collector.status = None
    call = house.collector.call

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        house.tracing.server_span("new", {}, {}).end()
        return call(*arguments, **options)

    house.collector.call = meanwhile  # type: ignore[method-assign] # what happens during the call
    with pytest.raises(GatewayError):
        house.tracing.send()
    house.collector.call, house.collector.status = call, 200  # type: ignore[method-assign] # as it was
    house.tracing.send()
    assert [span.name for span in house.collector.spans] == ["older", "new"]


def test_without_the_packages_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.tracing_packages, "PACKAGES", ("no_such_package.sdk",))
    settings = TelemetrySettings(endpoint="http://collector:4318")
    assert missing(TelemetrySettings()) == []
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in missing(settings)[0]
    with pytest.raises(ValueError, match="make otel"):
        Tracing(settings, Collector(), FakeClock())  # type: ignore[arg-type] # the part that is used


def test_nothing_of_it_is_loaded_where_nothing_is_traced(tmp_path: Path) -> None:
    script = "import sys, app; app.create_app(start=False); print('opentelemetry.sdk.trace' in sys.modules)"
    for endpoint, loaded in ((None, "False"), ("http://127.0.0.1:1", "True")):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path)}
        environment |= {} if endpoint is None else {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        command = [sys.executable, "-c", script]
        run = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=60)
        assert run.stdout.splitlines()[-1:] == [loaded], run.stderr
