"""What the Ollama provider promises of the errors it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    ContextLengthExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    UpstreamForbidden,
    UpstreamOverloaded,
    UpstreamQuotaExhausted,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
)
from schemas.codec import dumps
from tests.unit.core.ollama_kit import provider, request


def error(status, said="no", headers=None, **more):
    return provider().error(status, headers or {}, dumps({"error": said, **more}))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, UpstreamUnauthorized),
        (403, UpstreamForbidden),
        (404, ModelNotFound),
        (429, UpstreamRateLimited),
        (500, UpstreamServerError),
        (502, UpstreamServerError),
        (503, UpstreamOverloaded),
    ],
)
@pytest.mark.parametrize("body", [b'{"error":"no"}', b'{"error":{"message":"no"}}', b"", b"<html>", b"null", b"{}"])
def test_a_status_is_one_of_ours_whatever_the_body(status, kind, body):
    told = provider().error(status, {}, body)
    assert type(told) is kind
    assert told.message


@pytest.mark.parametrize(
    ("status", "said", "kind", "param"),
    [
        (404, "model 'x' not found", ModelNotFound, None),
        (400, 'model "x:latest" not found, try pulling it first', ModelNotFound, None),
        (400, '"llama3" does not support thinking', InvalidRequest, "thinking"),
        (500, 'think value "medium" is not supported for this model', InvalidRequest, "thinking"),
        (400, "registry.ollama.ai/library/x does not support tools", InvalidRequest, "tools"),
        (400, '"nomic" does not support chat', InvalidRequest, None),
        (400, "the input length exceeds the context length", ContextLengthExceeded, None),
        (400, "the prompt is longer than the context length currently available to the model",
         ContextLengthExceeded, None),
        (500, "input after truncation exceeds maximum context length", ContextLengthExceeded, None),
        (503, "server busy, please try again.  maximum pending requests exceeded", UpstreamOverloaded, None),
        (500, "model requires more system memory (9 GiB) than is available (4 GiB)", UpstreamOverloaded, None),
        (429, "too many requests", UpstreamRateLimited, None),
    ],
)  # fmt: skip
def test_what_only_the_sentence_tells_is_understood(status, said, kind, param):
    told = error(status, said)
    assert (type(told), told.param) == (kind, param)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("you've reached your hourly usage limit, please wait or upgrade to continue", 3600),
        ("you (ann) have reached your session usage limit, upgrade for higher limits", 3600),
        ("you (ann) have reached your weekly usage limit, upgrade for higher limits", 6 * 3600),
    ],
)
def test_a_plan_that_is_used_up_comes_back_by_itself(said, wait):
    told = error(429, said)
    assert (type(told), told.code, told.retry_after) == (UpstreamQuotaExhausted, "usage_limit_reached", wait)
    assert error(429, said, {"retry-after": "60"}).retry_after == 60


def test_a_server_that_is_not_signed_in_still_serves_its_own_models():
    told = error(401, "unauthorized", signin_url="https://ollama.com/connect")
    assert (type(told), told.code) == (UpstreamForbidden, "model_not_found")


def test_the_wait_of_a_header_is_taken():
    assert error(429, "too many requests", {"retry-after": "7"}).retry_after == 7


def test_a_bearer_token_never_stands_in_an_error():
    assert "abc123" not in error(400, "bad header Authorization: Bearer abc123").message
    assert "abc123" not in error(401, "the key abc123 is no good").message


def test_a_model_that_cannot_think_is_tried_once_more_without():
    refusal = error(400, '"llama3" does not support thinking')
    changed = provider().second_try(request(), refusal)
    assert changed.omit == {"thinking@m"}
    assert provider().second_try(changed, refusal) is None
    assert provider().second_try(request(), error(400, "x does not support tools")) is None
    assert provider().second_try(request(), error(500)) is None


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "signin_url", "detail"]), inner),
    max_leaves=12,
))  # fmt: skip
def test_any_body_is_some_error_of_ours(body):
    assert isinstance(provider().error(500, {}, dumps(body)), GatewayError)
