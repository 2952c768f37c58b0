"""Every failure becomes an answer that its client understands."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Response
from structlog.testing import capture_logs
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from core import errors
from core.errors import (
    CredentialsExhausted,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NoCredentials,
    RateLimited,
    UpstreamQuotaExhausted,
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from middleware.base import context_of
from middleware.errors import Errors
from schemas.codec import dumps
from tests.unit.middleware.layered_kit import FakeShape, Layers


@pytest.fixture(autouse=True)
def plain_logging() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def classes(base: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [base, *(one for child in base.__subclasses__() for one in classes(child))]


def layers_that_raise(error: BaseException) -> Layers:
    def fail(name: str) -> Response:
        raise error

    return Layers(view=fail)


def answer(error: BaseException) -> Any:
    return layers_that_raise(error).ask(headers={"X-Request-ID": "req-1"})


@pytest.mark.parametrize("kind", sorted(classes(), key=lambda kind: kind.__name__))
def test_each_error_is_its_status_with_its_body(kind: type[GatewayError]) -> None:
    response = answer(kind("what happened"))
    assert response.status_code == kind.status
    assert response.mimetype == "application/json"
    assert response.get_json() == {"code": kind.code, "message": "what happened", "request_id": "req-1"}


def test_every_class_of_the_tree_is_tried_above() -> None:
    public = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GatewayError)}
    assert public <= set(classes())
    assert len(public) > 20


@pytest.mark.parametrize(("seconds", "header"), [(7, "7"), (6.1, "7"), (0.2, "1"), (0, "1"), (-5, "1"), (None, None)])
def test_when_to_come_back_is_told_in_whole_seconds_rounded_up(seconds: float | None, header: str | None) -> None:
    assert answer(RateLimited("no", retry_after=seconds)).headers.get("Retry-After") == header


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (UpstreamQuotaExhausted("no"), "false"),
        (UpstreamUnauthorized("no"), "false"),
        (NoCredentials("no"), "false"),
        (errors.Conflict("no"), "false"),
        (errors.ProviderConflict("no"), None),
        (errors.RequestTimeout("no"), "false"),
        (RateLimited("no"), None),
        (CredentialsExhausted("no"), None),
        (UpstreamTimeout("no"), None),
        (InternalError("no"), None),
        (InvalidRequest("no"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_clients_are_told_not_to_repeat_what_they_would_repeat_in_vain(error: GatewayError, header: str | None) -> None:
    assert answer(error).headers.get("x-should-retry") == header


def test_a_caller_without_a_key_is_told_how_to_show_one() -> None:
    assert answer(errors.Unauthorized("no")).headers["WWW-Authenticate"] == "Bearer"
    assert "WWW-Authenticate" not in answer(errors.Forbidden("no")).headers


def test_a_wrong_method_is_told_with_those_that_are_right() -> None:
    response = Layers().ask(method="DELETE")
    assert response.status_code == 405
    assert response.get_json()["code"] == "method_not_allowed"
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert "DELETE" in response.get_json()["message"]


def test_a_method_without_alternatives_has_no_allow_header() -> None:
    assert "Allow" not in answer(MethodNotAllowed("no")).headers


def test_a_wrong_path_is_not_found() -> None:
    response = Layers().ask("/nowhere")
    assert (response.status_code, response.get_json()["code"]) == (404, "not_found")
    assert "/nowhere" in response.get_json()["message"]


def test_a_path_without_end_is_not_repeated_whole() -> None:
    assert len(Layers().ask("/" + "x" * 10_000).get_json()["message"]) < 300


@pytest.mark.parametrize("path", ["/thing//a", "//thing/a"])
def test_a_path_with_a_slash_too_many_is_not_found(path: str) -> None:
    response = Layers().ask(path)
    assert (response.status_code, response.get_json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("error", "status"), [(BadRequest(), 400), (UnsupportedMediaType(), 400), (RequestEntityTooLarge(), 413)]
)
def test_an_error_of_the_framework_is_rendered_like_ours(error: Exception, status: int) -> None:
    response = answer(error)
    assert response.status_code == status
    assert response.get_json()["message"]
    assert "<" not in response.text


@pytest.mark.parametrize("error", [RuntimeError("the password is 1234"), KeyError("1234"), RecursionError("1234")])
def test_a_bug_is_a_500_without_a_word_of_the_cause_which_the_log_has(error: Exception) -> None:
    with capture_logs() as logs:
        response = answer(error)
    assert (response.status_code, response.get_json()["code"]) == (500, "internal_error")
    assert "1234" not in response.text
    assert "Traceback" not in response.text
    assert [log["event"] for log in logs] == ["unexpected_error"]


def test_what_ends_the_process_is_not_held_up() -> None:
    with pytest.raises(SystemExit):
        answer(SystemExit())


def test_the_context_knows_the_error_for_the_log() -> None:
    seen: list[str | None] = []

    def look(request, proceed):  # type: ignore[no-untyped-def] # a middleware
        response = proceed(request)
        seen.append(context_of(request).error)
        return response

    layers = Layers()
    from middleware.request_context import RequestContexts

    def fail(name: str) -> Response:
        raise UpstreamTimeout("late")

    layers.app.view_functions["thing"] = fail
    layers.app.install([RequestContexts(layers.clock, 0), look, Errors((FakeShape(lambda error, request_id: b"{}"),))])
    layers.ask()
    assert seen == ["upstream_timeout"]


def test_the_first_shape_that_fits_is_taken_with_its_status_and_its_name_for_the_id() -> None:
    layers = Layers()
    from middleware.request_context import RequestContexts

    default = FakeShape(lambda error, request_id: dumps("default"))
    special = FakeShape(
        lambda error, request_id: dumps("special"),
        fits=lambda request: request.path.startswith("/v1/messages"),
        status=lambda error: 529,
        id_header="request-id",
    )
    layers.app.install([RequestContexts(layers.clock, 0), Errors((special, default))])
    told = layers.ask("/v1/messages/nothing", headers={"X-Request-ID": "req-7"})
    assert (told.status_code, told.get_json(), told.headers["request-id"]) == (529, "special", "req-7")
    usual = layers.ask("/v1/other")
    assert (usual.status_code, usual.get_json()) == (404, "default")
    assert "request-id" not in usual.headers
