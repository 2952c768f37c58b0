"""What any OpenAI-compatible provider makes of errors, wherever they come."""

import pytest

from core.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_faults import retry_after
from core.sse import Event
from schemas.chat import (
    ChatRequest,
    Message,
    Native,
    TextPart,
)
from schemas.codec import dumps
from tests.fakes import FakeClock

REQUEST = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("openai", {}))


def provider():
    return OpenAICompatible("p", "https://host/v1", FakeClock())


def event(**frame):
    return Event(dumps(frame))


def delta(finish=None, **fields):
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


def decoded(*events):
    return list(provider().decode(events, REQUEST))


@pytest.mark.parametrize("name", [None, "error"])
def test_an_error_frame_is_an_error_with_or_without_its_event_name(name):
    frame = Event(dumps({"error": {"message": "too much", "type": "rate_limit_error", "code": None}}), name)
    with pytest.raises(UpstreamRateLimited, match="too much"):
        decoded(delta(content="a"), frame)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "all broken"},
        {"message": "all broken"},
        {"detail": "all broken"},
        {"detail": [{"msg": "all broken"}]},
        {"code": 500, "msg": "all broken", "success": False},
        {"error": {"message": "all broken"}, "choices": [{"finish_reason": "error"}]},
    ],
)
def test_an_error_inside_a_200_is_an_error_in_every_known_shape(body):
    with pytest.raises(UpstreamServerError, match="all broken"):
        decoded(Event(dumps(body), "body"))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "m", "code": "context_length_exceeded"}}, ContextLengthExceeded),
        (400, {"error": {"message": "m", "type": "invalid_request_error", "param": "top_p"}}, InvalidRequest),
        (401, {"error": {"message": "m", "code": "invalid_api_key"}}, UpstreamUnauthorized),
        (404, {"error": {"message": "m", "code": "model_not_found"}}, ModelNotFound),
        (429, {"error": {"message": "m"}}, UpstreamRateLimited),
        (429, {"error": {"message": "m", "type": "insufficient_quota"}}, UpstreamQuotaExhausted),
        (500, {"error": {"message": "m"}}, UpstreamServerError),
        (503, {"error": {"message": "m", "code": "server_is_overloaded"}}, UpstreamOverloaded),
        (418, {"error": "m"}, InvalidRequest),
    ],
)
def test_what_the_provider_says_itself_goes_before_its_status(status, body, kind):
    error = provider().error(status, {}, dumps(body))
    assert type(error) is kind


def test_a_refused_parameter_is_named():
    body = {"error": {"message": "m", "type": "invalid_request_error", "param": "top_p"}}
    assert provider().error(400, {}, dumps(body)).param == "top_p"


def test_a_status_without_a_readable_body_speaks_for_itself():
    error = provider().error(503, {"retry-after": "7"}, b"<html>busy</html>")
    assert type(error) is UpstreamOverloaded
    assert error.retry_after == 7
    assert "html" not in error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": "Wed, 18 Nov 2026 12:26:50 GMT"}, 10.0),
    ],
)
def test_the_wait_is_read_in_every_form(headers, seconds):
    clock = FakeClock(1_795_004_800.0)
    error = OpenAICompatible("p", "https://h", clock).error(429, headers, b"{}")
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    "secret",
    ["0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp", "sk-proj-abcdefgh12345", "eyJhbGciOi.eyJhcGki.abc-_"],
)
def test_no_key_the_provider_quotes_reaches_the_client(secret):
    for status in (400, 401, 429, 500):
        error = provider().error(status, {}, dumps({"error": {"message": f"bad key {secret}, sorry"}}))
        assert secret not in error.message


def test_a_refused_key_of_unknown_shape_is_not_quoted_either():
    body = {"error": {"message": "Incorrect API key provided: hunter2", "code": "invalid_api_key"}}
    error = provider().error(401, {}, dumps(body))
    assert "hunter2" not in error.message
    assert error.provider_code == "invalid_api_key"


def test_an_error_event_that_is_no_json_is_the_providers_failure():
    with pytest.raises(UpstreamServerError, match="worker died"):
        decoded(Event(b"worker died", "error"))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1e12", 0.0),
        ("90000000", 32 * 86_400.0),
        ("1e300", 32 * 86_400.0),
        (str(1_795_000_060), 60.0),
        (str(1_795_000_060_000), 60.0),
        ("Thu, 26 Nov 2026 10:00:00 +99999999999999999999", None),
        ("-5", 0.0),
    ],
)
def test_a_wait_that_makes_no_sense_is_not_believed(said: str, seconds: float | None) -> None:
    told = retry_after({"retry-after": said}, 1_795_000_000.0)
    assert told == seconds or (told is not None and seconds is not None and abs(told - seconds) < 1e-3)
