"""A trace for each request, from its arrival to its end, as a collector gets it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.gateway import ROOT, Gateway, eventually
from tests.integration.conftest import environment
from tests.redis_server import RedisServer
from tests.upstreams.answers import glm_error, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Events, Head, Hold, whole

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHAT = "/v1/chat/completions"
CLIENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
COLLECTOR_KEY = "collector-key-3d90"


class Collector:
    """Takes what gateways send, and tells it apart by trace."""

    def __init__(self) -> None:
        self.server = Upstream()
        self.server.behave(lambda _: whole(b""))

    def spans(self) -> list[dict[str, Any]]:
        """Every span so far."""
        return [span for request in list(self.server.requests) for span in _spans(request.raw_body)]

    def trace(self, request_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The span of a request, once it is there, and those within it in their order."""

        def found() -> list[dict[str, Any]]:
            return [span for span in self.spans() if span["attributes"].get("gateway.request_id") == request_id]

        assert eventually(lambda: bool(found())), f"no span of {request_id}"
        (server,) = found()
        inside = [span for span in self.spans() if span["parent"] == server["id"]]
        return server, sorted(inside, key=lambda span: int(span["start"]))


def _spans(message: bytes) -> Iterator[dict[str, Any]]:
    for resource in ExportTraceServiceRequest.FromString(message).resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "service": service,
                    "name": span.name,
                    "kind": span.kind,
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "failed": span.status.code == 2,
                    "attributes": _attributes(span.attributes),
                    "events": {event.name: _attributes(event.attributes) for event in span.events},
                }


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.server.close()


def traced(provider: Upstream, collector: Collector, **more: str) -> dict[str, str]:
    return environment(
        provider,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.server.url,
        OTEL_EXPORTER_OTLP_HEADERS=f"x-collector-key={COLLECTOR_KEY}",
        **more,
    )


@pytest.fixture(scope="module")
def house(provider: Upstream, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that sends its traces, and names them to its provider."""
    settings = traced(provider, collector, GATEWAY__TELEMETRY__PROPAGATE="true", OTEL_SERVICE_NAME="our-gateway")
    with Gateway(tmp_path_factory.mktemp("traced"), **settings) as gateway:
        yield gateway


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_a_span_with_one_for_its_try_inside(
    house: Gateway, upstream: Upstream, collector: Collector, stream: bool
) -> None:
    response = house.chat(stream=stream, model="glm-4.6", max_tokens=50, temperature=0.5, headers=CLIENT)
    assert response.text
    server, (client,) = collector.trace(response.headers["X-Request-ID"])
    assert (server["name"], server["kind"], server["service"]) == ("POST /v1/chat/completions", 2, "our-gateway")
    assert (client["name"], client["kind"]) == ("chat glm-4.6", 3)
    assert (server["trace"], server["parent"], client["trace"]) == (TRACE, PARENT, TRACE)
    assert server["start"] <= client["start"] <= client["end"] <= server["end"]
    assert [server["failed"], client["failed"]] == [False, False]
    about = client["attributes"]
    usage = {name.removeprefix("gen_ai.usage."): value for name, value in about.items() if "usage" in name}
    assert usage["input_tokens"] > 0 < usage["output_tokens"]
    assert about["gen_ai.response.time_to_first_chunk"] >= 0
    assert client["events"].keys() == {"gen_ai.first_token"}
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "z_ai",
        "gen_ai.system": "z_ai",
        "gen_ai.request.model": "glm-4.6",
        "gen_ai.request.stream": stream,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "glm-4.6",
        "gen_ai.response.finish_reasons": ["stop"],
        "gateway.provider": "glm",
        "gateway.attempt": 1,
        "server.address": "127.0.0.1",
        "server.port": upstream.port,
    }
    assert {name: about.get(name) for name in expected} == expected
    whole_request = {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "gen_ai.request.model": "glm-4.6",
        "gen_ai.response.model": "glm-4.6",
        "gateway.attempts": 1,
    }
    assert {name: server["attributes"].get(name) for name in whole_request} == whole_request
    assert not [name for name in server["attributes"] if "usage" in name], "tokens are counted once a trace"


def test_the_provider_is_told_of_the_span_that_asks_it(
    house: Gateway, upstream: Upstream, collector: Collector
) -> None:
    response = house.chat(headers={**CLIENT, "tracestate": "vendor=1", "baggage": "user=secret"})
    _, (client,) = collector.trace(response.headers["X-Request-ID"])
    headers = upstream.requests[0].headers
    assert headers["traceparent"] == f"00-{TRACE}-{client['id']}-01"
    assert headers["tracestate"] == "vendor=1"
    assert "baggage" not in headers


def test_each_try_has_a_span_and_its_failure_a_name(house: Gateway, upstream: Upstream, collector: Collector) -> None:
    upstream.script(glm_error("1234", 500, "broken"))
    response = house.chat()
    assert response.status_code == 200
    server, (first, second) = collector.trace(response.headers["X-Request-ID"])
    assert first["attributes"]["error.type"] == "upstream_server_error"
    assert [first["failed"], second["failed"], server["failed"]] == [True, False, False]
    assert [span["attributes"]["gateway.attempt"] for span in (first, second)] == [1, 2]
    assert first["end"] <= second["start"]
    assert "gen_ai.usage.input_tokens" not in first["attributes"]


def test_a_failure_of_all_tries_is_one_of_the_request(house: Gateway, upstream: Upstream, collector: Collector) -> None:
    upstream.script(glm_error("1234", 500, "broken"), times=None)
    response = house.chat()
    assert response.status_code == 502
    server, tries = collector.trace(response.headers["X-Request-ID"])
    assert server["failed"]
    assert server["attributes"]["error.type"] == "upstream_server_error"
    assert server["attributes"]["http.response.status_code"] == 502
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("ask", "status", "error", "name"),
    [
        (lambda house: house.post(CHAT, {}), 400, "missing_required_parameter", f"POST {CHAT}"),
        (lambda house: house.chat(model="nobody"), 404, "model_not_found", f"POST {CHAT}"),
        (lambda house: house.get("/no/such/path/key-91"), 404, "not_found", "GET other"),
    ],
)  # fmt: skip
def test_what_a_client_does_wrong_is_no_failure_of_the_servers(
    house: Gateway, collector: Collector, ask: Callable[[Gateway], Any], status: int, error: str, name: str
) -> None:
    response = ask(house)
    server, tries = collector.trace(response.headers["X-Request-ID"])
    assert (server["name"], server["failed"], tries) == (name, False, [])
    assert server["attributes"]["error.type"] == error
    assert server["attributes"]["http.response.status_code"] == status == response.status_code


def test_the_span_of_a_stream_ends_with_it(house: Gateway, upstream: Upstream, collector: Collector) -> None:
    events = glm_stream("one two three")
    upstream.script([Head(), Events(events[:2]), Hold(), Events(events[2:])])
    response = house.chat(stream=True)
    lines = response.iter_lines(chunk_size=1)
    next(lines)
    request_id = response.headers["X-Request-ID"]
    assert upstream.wait_held()
    collector.trace(house.get("/v1/models").headers["X-Request-ID"])  # what is over has been sent
    assert not [span for span in collector.spans() if span["attributes"].get("gateway.request_id") == request_id]
    released = time.time_ns()
    upstream.release()
    assert list(lines)
    server, (client,) = collector.trace(request_id)
    assert server["end"] >= client["end"] >= released
    assert client["events"]["gen_ai.first_token"]["gen_ai.response.time_to_first_chunk"] < 1


def test_a_client_that_leaves_is_no_failure(house: Gateway, upstream: Upstream, collector: Collector) -> None:
    upstream.script([Head(), Events(glm_stream("one two")[:2]), Hold()])
    response = house.chat(stream=True)
    next(response.iter_lines(chunk_size=1))
    response.close()
    server, (client,) = collector.trace(response.headers["X-Request-ID"])
    assert server["attributes"]["error.type"] == "client_closed_request"
    assert client["attributes"]["error.type"] == "client_closed_request"
    assert [server["failed"], client["failed"]] == [False, False]


def test_embeddings_are_traced_as_such(house: Gateway, upstream: Upstream, collector: Collector) -> None:
    body = {
        "object": "list",
        "data": [{"index": 0, "embedding": [0.1]}],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    upstream.script(whole(json.dumps(body).encode()))
    response = house.post("/v1/embeddings", {"model": "embedding-3", "input": "Hi"})
    assert response.status_code == 200, response.text
    _, (client,) = collector.trace(response.headers["X-Request-ID"])
    assert client["name"] == "embeddings embedding-3"
    assert client["attributes"]["gen_ai.usage.input_tokens"] == 7


def test_the_log_names_the_trace(house: Gateway, upstream: Upstream) -> None:
    response = house.chat(headers=CLIENT)
    assert house.wait_event("request", request_id=response.headers["X-Request-ID"])["trace_id"] == TRACE


def test_monitoring_is_not_traced(house: Gateway, collector: Collector) -> None:
    for path in ("/v1/health/live", "/v1/health", "/metrics"):
        house.get(path)
    response = house.get("/v1/models")
    collector.trace(response.headers["X-Request-ID"])
    assert not {"GET /v1/health/live", "GET /v1/health", "GET /metrics"} & {span["name"] for span in collector.spans()}


def test_no_trace_holds_what_was_said_or_a_secret(house: Gateway, upstream: Upstream, collector: Collector) -> None:
    said = "my-private-question"
    fields = {
        "stop": ["my-stop-word"],
        "user": "me-myself",
        "tools": [{"type": "function", "function": {"name": "my_tool"}}],
    }
    response = house.chat(said, headers={"Authorization": "Bearer my-own-key"}, **fields)
    assert response.status_code == 200
    collector.trace(response.headers["X-Request-ID"])
    sent = b"".join(request.raw_body for request in collector.server.requests)
    assert b"gen_ai.request.model" in sent
    for text in (said, "my-stop-word", "me-myself", "my_tool", "my-own-key", "id.secret", COLLECTOR_KEY, "Hello"):
        assert text.encode() not in sent, text
    assert {request.headers["x-collector-key"] for request in collector.server.requests} == {COLLECTOR_KEY}


def test_every_worker_sends_and_what_is_left_is_sent_at_the_end(
    provider: Upstream, collector: Collector, tmp_path: Path
) -> None:
    with RedisServer(tmp_path) as redis:
        with Gateway(tmp_path, **traced(provider, collector, REDIS_URL=redis.url, WORKERS="2")) as gateway:
            ids = [gateway.get("/v1/models").headers["X-Request-ID"] for _ in range(20)]
        sent = {span["attributes"].get("gateway.request_id") for span in collector.spans()}
        assert sent >= set(ids)


def test_a_collector_that_fails_costs_nothing_and_is_complained_of_once(
    provider: Upstream, upstream: Upstream, tmp_path: Path
) -> None:
    with Upstream() as broken:
        broken.script(whole(b"no", 503), times=None)
        with Gateway(tmp_path, **environment(provider, OTEL_EXPORTER_OTLP_ENDPOINT=broken.url)) as gateway:
            assert gateway.chat(headers=CLIENT).status_code == 200
            assert broken.wait_requests(3)
            assert len(gateway.events("traces_not_sent")) == 1
            assert gateway.chat().status_code == 200
            assert gateway.stop() == 0
    assert not {"traceparent", "tracestate"} & upstream.requests[0].headers.keys(), "by default they are not told"


def test_without_the_packages_the_gateway_says_what_to_do(tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('opentelemetry.sdk'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    gateway = Gateway(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    for command in ("check", "serve"):
        process = subprocess.run(
            [sys.executable, str(ROOT / "app.py"), command],
            cwd=tmp_path,
            env=gateway.environment,
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 2
        assert re.search(r"OTEL_EXPORTER_OTLP_ENDPOINT.*make otel", process.stderr), process.stderr
        assert "Traceback" not in process.stderr
