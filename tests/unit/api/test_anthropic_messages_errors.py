"""Errors in Anthropic's form."""

import pytest

from api.dialects.anthropic_messages import AnthropicMessages, error_body, status_of
from core import errors
from core.errors import GatewayError
from schemas.codec import loads

EVERY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)]


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (errors.InvalidRequest("x"), "invalid_request_error", 400),
        (errors.Unauthorized("x"), "authentication_error", 401),
        (errors.Forbidden("x"), "permission_error", 403),
        (errors.UpstreamForbidden("x"), "permission_error", 403),
        (errors.ModelNotFound("x"), "not_found_error", 404),
        (errors.MethodNotAllowed("x"), "invalid_request_error", 405),
        (errors.RequestTimeout("x"), "invalid_request_error", 408),
        (errors.Conflict("x"), "conflict_error", 409),
        (errors.BodyTooLarge("x"), "request_too_large", 413),
        (errors.RateLimited("x"), "rate_limit_error", 429),
        (errors.CredentialsExhausted("x"), "rate_limit_error", 429),
        (errors.UpstreamQuotaExhausted("x"), "rate_limit_error", 429),
        (errors.InternalError("x"), "api_error", 500),
        (errors.UpstreamBroken("x"), "api_error", 502),
        (errors.UpstreamUnauthorized("x"), "api_error", 502),
        (errors.NoCredentials("x"), "api_error", 503),
        (errors.UpstreamTimeout("x"), "timeout_error", 504),
        (errors.UpstreamOverloaded("x"), "overloaded_error", 529),
        (errors.UpstreamServerError("x", code="overloaded"), "overloaded_error", 529),
    ],
)
def test_every_error_has_anthropics_word_and_status(error: GatewayError, kind: str, status: int) -> None:
    assert loads(error_body(error, "req_1")) == {
        "type": "error",
        "error": {"type": kind, "message": "x"},
        "request_id": "req_1",
    }
    assert status_of(error) == status


@pytest.mark.parametrize("said", ["too many tokens", "Prompt is too long: 9 > 8"])
def test_a_prompt_that_is_too_long_is_told_in_the_words_that_claude_code_knows(said: str) -> None:
    message = loads(error_body(errors.ContextLengthExceeded(said), "req_1"))["error"]["message"]
    assert message.lower().count("prompt is too long") == 1
    assert message.endswith(said)


@pytest.mark.parametrize("kind", EVERY)
def test_no_status_is_changed_but_that_of_an_overloaded_model(kind: type[GatewayError]) -> None:
    error = kind("x")
    assert (status_of(error) == error.status) is (kind is not errors.UpstreamOverloaded)


def test_details_are_told() -> None:
    error = errors.RateLimited("x", details={"window": "minute"})
    assert loads(AnthropicMessages().error(error, "r"))["error"]["details"] == {"window": "minute"}


def test_a_spent_budget_is_told_by_the_code_by_which_anthropics_clients_know_a_limit_of_money() -> None:
    error = errors.BudgetExceeded("x", details={"scope": "key"})
    told = loads(error_body(error, "r"))["error"]
    assert (told["type"], status_of(error)) == ("rate_limit_error", 429)
    assert told["details"] == {"error_code": "enforced_spend_limit_reached", "scope": "key"}


def test_an_error_in_a_stream_is_an_event_of_that_name() -> None:
    frame = AnthropicMessages().error_frame(errors.UpstreamOverloaded("Too\nmuch"), "req_1")
    assert frame == (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Too\\nmuch"},'
        b'"request_id":"req_1"}\n\n'
    )
