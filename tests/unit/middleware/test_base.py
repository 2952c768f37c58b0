"""A list of middlewares is one handler, from the outermost to the innermost."""

import pytest
from flask import Request, Response

from middleware.base import LayeredFlask, Middleware, Next, compose, endpoint_of


class Layer:
    """Writes down when it is entered and left."""

    def __init__(self, name: str, written: list[str], *, refuses: bool = False) -> None:
        self.name, self.written, self.refuses = name, written, refuses

    def __call__(self, request: Request, proceed: Next) -> Response:
        self.written.append(f"{self.name} in")
        response = Response("refused", 403) if self.refuses else proceed(request)
        self.written.append(f"{self.name} out {response.status_code}")
        return response


def app_of(*stack: Middleware) -> LayeredFlask:
    app = LayeredFlask("layered")
    app.testing = True
    app.add_url_rule("/thing/<name>", "thing", lambda name: (name, 201))
    app.install(stack)
    return app


def test_the_first_of_the_list_is_outermost() -> None:
    written: list[str] = []
    response = app_of(Layer("a", written), Layer("b", written)).test_client().get("/thing/x")
    assert (response.status_code, response.text) == (201, "x")
    assert written == ["a in", "b in", "b out 201", "a out 201"]


def test_one_that_does_not_proceed_hides_what_is_inside() -> None:
    written: list[str] = []
    response = (
        app_of(Layer("a", written), Layer("b", written, refuses=True), Layer("c", written))
        .test_client()
        .get("/thing/x")
    )
    assert response.status_code == 403
    assert written == ["a in", "b in", "b out 403", "a out 403"]


def test_what_has_no_route_goes_through_the_middlewares_too() -> None:
    written: list[str] = []
    assert app_of(Layer("a", written)).test_client().get("/nowhere").status_code == 404
    assert written == ["a in"]


def test_without_middlewares_the_view_is_the_handler() -> None:
    assert app_of().test_client().get("/thing/x").text == "x"


def test_compose_gives_the_innermost_when_there_is_nothing_around_it() -> None:
    def innermost(request: Request) -> Response:
        return Response()

    assert compose([], innermost) is innermost


@pytest.mark.parametrize(("path", "endpoint"), [("/thing/x", "/thing/<name>"), ("/nowhere", "other")])
def test_an_endpoint_is_the_pattern_of_its_route_and_never_what_a_client_wrote(path: str, endpoint: str) -> None:
    seen: list[str] = []

    def look(request: Request, proceed: Next) -> Response:
        seen.append(endpoint_of(request))
        return Response()

    app_of(look).test_client().get(path)
    assert seen == [endpoint]
