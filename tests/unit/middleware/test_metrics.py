"""Every answer is counted, under labels from known sets only."""

from collections.abc import Iterator

import pytest
from flask import Response, request

from core.errors import RateLimited
from core.metrics import Metrics
from middleware.base import context_of
from middleware.errors import Errors
from middleware.metrics import RequestMetrics
from schemas.outcome import Outcome
from services.telemetry import Telemetry
from tests.unit.middleware.layered_kit import SHAPE, Layers, View


class House:
    """An application whose answers are counted."""

    def __init__(self, view: View | None = None) -> None:
        self.metrics = Metrics()
        counting = RequestMetrics(Telemetry(self.metrics), self)  # type: ignore[arg-type] # this is its clock
        self.layers = Layers(counting, Errors((SHAPE,)), view=view, errors=False)

    def monotonic(self) -> float:
        return self.layers.clock.monotonic()

    @property
    def text(self) -> str:
        return self.metrics.render().decode()


def test_an_answer_is_counted_by_route_method_and_status() -> None:
    house = House()
    for name in ("a", "b", "c"):
        house.layers.ask(f"/thing/{name}").close()
    assert 'glm_requests_total{endpoint="/thing/<name>",method="GET",status="200"} 3.0' in house.text
    assert 'glm_request_duration_seconds_count{endpoint="/thing/<name>"} 3.0' in house.text


@pytest.mark.parametrize("method", ["BREW", "X" * 100])
def test_an_unknown_method_is_other(method: str) -> None:
    house = House()
    house.layers.ask(method=method).close()
    assert 'method="other",status="405"' in house.text
    assert method not in house.text


def test_an_unknown_path_is_other() -> None:
    house = House()
    for number in range(3):
        house.layers.ask(f"/nowhere/{number}").close()
    assert 'glm_requests_total{endpoint="other",method="GET",status="404"} 3.0' in house.text
    assert "nowhere" not in house.text


def test_errors_are_counted_with_the_status_that_is_sent() -> None:
    def refuse(name: str) -> Response:
        raise RateLimited("no")

    house = House(refuse)
    house.layers.ask().close()
    assert 'status="429"} 1.0' in house.text


@pytest.mark.parametrize(
    ("details", "scope"),
    [
        ({"scope": "ip", "unit": "requests"}, "ip"),
        ({"scope": "key", "unit": "usd"}, "budget"),
        ({"scope": "key", "unit": "streams"}, "streams"),
    ],
)
def test_what_a_client_is_refused_by_a_limit_is_counted_by_its_scope(details: dict[str, str], scope: str) -> None:
    def refuse(name: str) -> Response:
        raise RateLimited("no", details=details)

    house = House(refuse)
    house.layers.ask().close()
    assert f'glm_rate_limited_total{{scope="{scope}"}} 1.0' in house.text


def test_a_stream_is_in_flight_until_it_is_closed() -> None:
    house = House(lambda name: Response(iter([b"a", b"b"]), mimetype="text/event-stream"))
    response = house.layers.ask(buffered=False)
    assert response.status_code == 200
    assert "glm_streams_in_flight 1.0" in house.text
    assert "glm_requests_total{" not in house.text
    house.layers.clock.advance(7)
    response.close()
    assert "glm_streams_in_flight 0.0" in house.text
    assert 'glm_request_duration_seconds_sum{endpoint="/thing/<name>"} 7.0' in house.text


@pytest.mark.parametrize(("ended", "status"), [(502, "502"), (None, "200")])
def test_a_stream_is_counted_by_how_it_ended(ended: int | None, status: str) -> None:
    def view(name: str) -> Response:
        outcome = context_of(request).outcome = Outcome("glm-4.6", stream=True)

        def body() -> Iterator[bytes]:
            yield b"a"
            outcome.status = ended

        return Response(body(), mimetype="text/event-stream")

    house = House(view)
    with house.layers.ask() as answer:
        assert answer.data == b"a"
    assert f'glm_requests_total{{endpoint="/thing/<name>",method="GET",status="{status}"}} 1.0' in house.text


def test_a_whole_answer_is_no_stream() -> None:
    house = House()
    house.layers.ask(buffered=False)
    assert "glm_streams_in_flight 0.0" in house.text
