"""What chat.z.ai's refusals mean."""

from typing import Any

import pytest

from core.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from core.providers.glm_web import GLMWeb
from core.sse import Event
from schemas.chat import ChatRequest, Native
from schemas.codec import dumps
from schemas.stream import Finished, TextDelta
from tests.fakes import FakeClock

PROVIDER = GLMWeb("glm-web", "https://chat.z.ai/api/chat/completions", FakeClock())
REQUEST = ChatRequest("glm-4.6", (), Native("openai_chat", {}))
PAGE = b"\n<!doctype html><html><title>405</title></html>"
WHOLE = [{"data": {"delta_content": "Hi"}}, {"data": {"phase": "other", "usage": {"completion_tokens": 1}}}]


def decoded(*frames: Any) -> list[Any]:
    return list(PROVIDER.decode([Event(dumps(frame)) for frame in frames], REQUEST))


def raised(*events: Event) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        list(PROVIDER.decode(events, REQUEST))
    return caught.value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda error: {"type": "chat:completion", "data": {"error": error, "done": True}},
        lambda error: {"data": {"data": {"error": error, "done": True}}},
        lambda error: {"data": {"inner": {"error": error}}},
        lambda error: {"error": error},
        lambda error: error,
    ],
    ids=["data", "data.data", "data.inner", "top", "bare"],
)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"detail": "model busy: MODEL_CONCURRENCY_LIMIT", "code": 503}, UpstreamOverloaded),
        ({"detail": "check", "code": "FRONTEND_CAPTCHA_REQUIRED"}, UpstreamForbidden),
        ({"detail": "expired", "code": 401}, UpstreamUnauthorized),
        ({"detail": "slow down", "code": "429"}, UpstreamRateLimited),
        ({"detail": "who knows", "code": "E17"}, UpstreamServerError),
        ({"detail": ["a", {"msg": "b"}]}, UpstreamServerError),
    ],
)
def test_an_error_in_a_frame_is_raised_wherever_it_stands(wrap: Any, error: Any, kind: type[GatewayError]) -> None:
    found = raised(Event(dumps(wrap(error))))
    assert type(found) is kind
    assert isinstance(found, UpstreamError)
    assert found.provider_code == (str(error["code"]) if "code" in error else None)


def test_a_human_check_is_said_plainly() -> None:
    found = raised(Event(dumps({"data": {"error": "FRONTEND_CAPTCHA_REQUIRED"}})))
    assert (found.status, found.code, found.retryable) == (403, "upstream_human_check", False)
    assert "human check in the browser" in found.message


def test_an_error_that_comes_with_the_end_of_a_whole_answer_is_passed_over() -> None:
    late = {"data": {"error": {"detail": "title failed"}, "done": True}}
    assert decoded(*WHOLE, late)[0] == TextDelta("Hi")
    assert isinstance(decoded(*WHOLE, late)[-1], Finished)


@pytest.mark.parametrize(
    "frames",
    [
        [WHOLE[0], {"data": {"error": {"detail": "x"}, "done": True}}],
        [*WHOLE, {"data": {"error": {"detail": "x"}}}],
        [WHOLE[1], {"data": {"error": {"detail": "x"}, "done": True}}],
    ],
    ids=["half an answer", "not the end", "no answer"],
)
def test_any_other_error_counts(frames: list[Any]) -> None:
    with pytest.raises(UpstreamServerError, match="x"):
        decoded(*frames)


@pytest.mark.parametrize("nothing", [None, "", {}, False])
def test_an_empty_error_is_none(nothing: object) -> None:
    assert decoded({"data": {"delta_content": "Hi", "error": nothing}}, *WHOLE[1:])[0] == TextDelta("Hi")


def test_inference_that_failed_is_an_error() -> None:
    found = raised(Event(dumps({"data": {"choices": [{"finish_reason": "network_error"}]}})))
    assert isinstance(found, UpstreamServerError)


@pytest.mark.parametrize("name", [None, "body"])
def test_a_page_in_the_place_of_a_stream_is_the_fronts_refusal(name: str | None) -> None:
    found = raised(Event(PAGE, name))
    assert isinstance(found, UpstreamForbidden)
    assert "front refused" in found.message
    assert "html" not in found.message


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"detail":"MODEL_CONCURRENCY"}', UpstreamOverloaded),
        (b'{"error":{"code":401,"detail":"expired"}}', UpstreamUnauthorized),
        (b'{"ok":true}', UpstreamBroken),
        (b"not json", UpstreamBroken),
    ],
)
def test_a_body_that_is_no_stream_is_an_error(body: bytes, kind: type[GatewayError]) -> None:
    assert type(raised(Event(body, "body"))) is kind


def test_a_frame_that_is_no_json_is_broken() -> None:
    assert isinstance(raised(Event(b'{"data":')), UpstreamBroken)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"detail":"bad"}', InvalidRequest, "bad"),
        (401, b'{"detail":"Your session has expired"}', UpstreamUnauthorized, "Your session has expired"),
        (401, PAGE, UpstreamUnauthorized, "HTTP 401"),
        (403, b'{"detail":"no"}', UpstreamForbidden, "no"),
        (403, PAGE, UpstreamForbidden, "front refused"),
        (405, PAGE, UpstreamForbidden, "front refused"),
        (404, b'{"detail":"Model not found"}', ModelNotFound, "Model not found"),
        (405, b'{"detail":"Method Not Allowed"}', UpstreamBroken, "Method Not Allowed"),
        (422, b'{"detail":[{"loc":["body"],"msg":"field required"},{"msg":"too"}]}', InvalidRequest, "required; too"),
        (426, b'{"detail":"update"}', UpstreamForbidden, "update"),
        (429, b"", UpstreamRateLimited, "HTTP 429"),
        (500, b'{"error":{"message":"oops"}}', UpstreamServerError, "oops"),
        (502, PAGE, UpstreamServerError, "HTTP 502"),
        (500, b'{"detail":"MODEL_CONCURRENCY_LIMIT"}', UpstreamOverloaded, "capacity"),
        (403, b'{"detail":"FRONTEND_CAPTCHA"}', UpstreamForbidden, "human check"),
    ],
)
def test_an_http_error_means_what_its_status_and_body_say(
    status: int, body: bytes, kind: type[GatewayError], message: str
) -> None:
    found = PROVIDER.error(status, {}, body)
    assert type(found) is kind
    assert message in found.message


def test_the_time_to_wait_is_believed() -> None:
    assert PROVIDER.error(429, {"retry-after": "7"}, b"").retry_after == 7
    assert PROVIDER.error(429, {"retry-after": "Wed, 21 Oct 2026"}, b"").retry_after is None
    for endless in ("9" * 26, "9" * 5000):
        assert PROVIDER.error(429, {"retry-after": endless}, b"").retry_after == 32 * 86_400


def test_no_message_holds_a_token_or_runs_on() -> None:
    found = PROVIDER.error(400, {}, dumps({"detail": "bad eyJhbGciOiJI.eyJpZCI6.c2ln " + "x" * 9000}))
    assert "eyJ" not in found.message
    assert len(found.message) <= 500
