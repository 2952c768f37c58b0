"""Every request has a context and an id."""

import pytest
import structlog
from flask import Response, request

from middleware.base import context_of
from schemas.context import RequestContext
from tests.unit.middleware.layered_kit import Layers


class House:
    """An application that keeps the contexts of its requests."""

    def __init__(self, trusted_proxies: int = 0) -> None:
        self.contexts: list[RequestContext] = []
        self.bound: list[object] = []
        self.layers = Layers(view=self._view, trusted_proxies=trusted_proxies)

    def _view(self, name: str) -> Response:
        context = context_of(request)
        context.headers["X-Extra"] = "yes"
        self.contexts.append(context)
        self.bound.append(structlog.contextvars.get_contextvars())
        return Response(name)

    def client_ip(self, peer: str, forwarded: str | None) -> str:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        self.layers.ask(headers=headers, environ_overrides={"REMOTE_ADDR": peer})
        return self.contexts[-1].client_ip


@pytest.mark.parametrize("given", ["req-1", "a", "A.b_c:d/e+f=g@h", "x" * 128, "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_a_usable_id_of_the_client_is_kept(given: str) -> None:
    house = House()
    response = house.layers.ask(headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given
    assert house.contexts[0].request_id == given


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "a\tb", "é", '"', "<script>", "a;b", "a,b"])
def test_an_unusable_id_is_replaced(given: str) -> None:
    house = House()
    response = house.layers.ask(headers={"X-Request-ID": given})
    made = response.headers["X-Request-ID"]
    assert made == house.contexts[0].request_id
    assert made != given
    assert len(made) == 32


def test_requests_without_an_id_are_told_apart() -> None:
    layers = House().layers
    assert len({layers.ask().headers["X-Request-ID"] for _ in range(3)}) == 3


def test_the_id_is_sent_back_with_errors_too() -> None:
    response = House().layers.ask("/nowhere", headers={"X-Request-ID": "req-1"})
    assert response.status_code == 404
    assert response.headers["X-Request-ID"] == "req-1"


def test_the_id_is_bound_to_every_log_line_and_nothing_of_the_request_before() -> None:
    house = House()
    structlog.contextvars.bind_contextvars(left_over="from before")
    house.layers.ask(headers={"X-Request-ID": "req-1"})
    assert house.bound == [{"request_id": "req-1"}]


def test_headers_that_were_noted_are_sent() -> None:
    assert House().layers.ask().headers["X-Extra"] == "yes"


def test_the_arrival_is_a_monotonic_time() -> None:
    house = House()
    house.layers.clock.advance(5)
    house.layers.ask()
    assert house.contexts[0].started == house.layers.clock.monotonic()


@pytest.mark.parametrize("forwarded", [None, "1.2.3.4", "1.2.3.4, 5.6.7.8"])
def test_without_a_trusted_proxy_the_peer_is_the_client(forwarded: str | None) -> None:
    assert House().client_ip("10.0.0.1", forwarded) == "10.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (2, "1.2.3.4", "1.2.3.4"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, " 1.2.3.4 ,", "1.2.3.4"),
        (1, None, "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "unknown", "10.0.0.1"),
        (1, "x" * 10_000, "10.0.0.1"),
    ],
)
def test_the_client_is_what_the_trusted_proxies_report(trusted: int, forwarded: str | None, expected: str) -> None:
    assert House(trusted).client_ip("10.0.0.1", forwarded) == expected
