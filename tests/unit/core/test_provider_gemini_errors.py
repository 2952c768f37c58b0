"""What the Gemini provider promises of the errors it reads."""

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
    UpstreamTimeout,
    UpstreamUnauthorized,
)
from core.providers.gemini_content import SIGNATURES
from schemas.codec import dumps
from tests.unit.core.gemini_kit import KEY, provider, request

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
HOUR = 3600.0


def quota(*ids):
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": ident} for ident in ids],
    }


def error(status, word, message="no", details=(), headers=None, *, wrapped=False):
    told = {"error": {"code": status, "message": message, "status": word, "details": list(details)}}
    return provider().error(status, headers or {}, dumps([told] if wrapped else told))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "INVALID_ARGUMENT", InvalidRequest),
        (400, "FAILED_PRECONDITION", InvalidRequest),
        (401, "UNAUTHENTICATED", UpstreamUnauthorized),
        (403, "PERMISSION_DENIED", UpstreamForbidden),
        (404, "NOT_FOUND", ModelNotFound),
        (429, "RESOURCE_EXHAUSTED", UpstreamRateLimited),
        (499, "CANCELLED", UpstreamServerError),
        (500, "INTERNAL", UpstreamServerError),
        (503, "UNAVAILABLE", UpstreamOverloaded),
        (504, "DEADLINE_EXCEEDED", UpstreamTimeout),
        (503, None, UpstreamOverloaded),
        (418, "NEW_WORD", InvalidRequest),
        (555, "NEW_WORD", UpstreamServerError),
    ],
)
def test_a_status_is_one_of_ours(status, word, kind, wrapped):
    assert type(error(status, word, wrapped=wrapped)) is kind


BAD_KEY = "API key not valid. Please pass a valid API key."
LONG = "The input token count (1300000) exceeds the maximum number of tokens allowed (1048575)."
NONE_OF_IT = (
    "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: "
    "generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-2.5-pro"
)


@pytest.mark.parametrize(
    ("status", "word", "message", "kind", "code"),
    [
        (400, "INVALID_ARGUMENT", BAD_KEY, UpstreamUnauthorized, "upstream_unauthorized"),
        (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", UpstreamUnauthorized, None),
        (403, "PERMISSION_DENIED", "Your API key was reported as leaked.", UpstreamUnauthorized, None),
        (403, "PERMISSION_DENIED", f"Consumer 'api_key:{KEY}' has been suspended.", UpstreamUnauthorized,
         "account_deactivated"),
        (400, "INVALID_ARGUMENT", LONG, ContextLengthExceeded, "context_length_exceeded"),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", UpstreamForbidden,
         "unsupported_country_region_territory"),
        (400, "FAILED_PRECONDITION", "The free tier is not available in your country. Please enable billing on it.",
         UpstreamQuotaExhausted, "insufficient_quota"),
        (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", UpstreamQuotaExhausted,
         "insufficient_quota"),
        (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.",
         UpstreamRateLimited, "rate_limit_exceeded"),
        (429, "RESOURCE_EXHAUSTED", NONE_OF_IT, UpstreamForbidden, "model_not_found"),
        (429, "RESOURCE_EXHAUSTED", NONE_OF_IT.replace("limit: 0", "limit: 10"), UpstreamRateLimited, None),
    ],
)  # fmt: skip
def test_what_only_the_message_tells_is_understood(status, word, message, kind, code):
    told = error(status, word, message, [RETRY])
    assert type(told) is kind
    assert code is None or told.code == code


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("API_KEY_INVALID", UpstreamUnauthorized),
        ("CONSUMER_SUSPENDED", UpstreamUnauthorized),
        ("BILLING_DISABLED", UpstreamQuotaExhausted),
        ("SERVICE_DISABLED", UpstreamForbidden),
    ],
)
def test_a_reason_in_the_details_goes_before_the_status(reason, kind):
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    assert type(error(403, "PERMISSION_DENIED", details=[info])) is kind


def test_the_wait_is_the_one_google_tells():
    assert error(429, "RESOURCE_EXHAUSTED", details=[quota("PerMinute"), RETRY]).retry_after == 34.5
    assert error(429, "RESOURCE_EXHAUSTED", "no. Please retry in 20.04466179s.").retry_after == 20.04466179
    assert error(429, "RESOURCE_EXHAUSTED", headers={"retry-after": "7"}).retry_after == 7
    assert error(429, "RESOURCE_EXHAUSTED", details=[RETRY], headers={"retry-after": "7"}).retry_after == 34.5
    assert error(503, "UNAVAILABLE").retry_after is None


def test_no_wait_is_longer_than_a_day():
    assert error(429, "RESOURCE_EXHAUSTED", details=[{**RETRY, "retryDelay": "9999999s"}]).retry_after == 24 * HOUR


@pytest.mark.parametrize("delay", ["soon", "-5s", "1e9s", 34, None, {"seconds": 3}])
def test_a_wait_that_is_none_is_not_believed(delay):
    assert error(429, "RESOURCE_EXHAUSTED", details=[{**RETRY, "retryDelay": delay}]).retry_after is None


DAILY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def test_a_daily_quota_opens_at_midnight_in_california():
    told = error(429, "RESOURCE_EXHAUSTED", details=[quota("PerMinute", DAILY), RETRY])
    assert type(told) is UpstreamQuotaExhausted
    assert told.code == "usage_limit_reached"
    # The clock of these tests stands at 2026-11-18 11:06:40 UTC.
    assert told.retry_after == pytest.approx(20 * HOUR + 53 * 60 + 20)


def test_an_account_without_money_has_nothing_to_wait_for():
    assert error(429, "RESOURCE_EXHAUSTED", "prepayment credits are depleted", [RETRY]).retry_after is None


@pytest.mark.parametrize("word", ["INVALID_ARGUMENT", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "INTERNAL"])
@pytest.mark.parametrize("key", [KEY, "AQ.Ab8RN6I0123456789"])
def test_no_key_ever_stands_in_an_error(word, key):
    told = error(400, word, f"the consumer 'api_key:{key}' may not, nor ({key})")
    assert key not in told.message
    assert key not in str(told.details)
    assert key not in str(told)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"null", b"[]", b"{}", b'{"error": {}}', b'{"error": null}'])
@pytest.mark.parametrize(("status", "kind"), [(503, UpstreamOverloaded), (404, ModelNotFound), (400, InvalidRequest)])
def test_an_error_without_words_is_told_by_its_status(status, kind, body):
    told = provider().error(status, {}, body)
    assert type(told) is kind
    assert told.message


def names(message, status=400, word="INVALID_ARGUMENT"):
    changed = provider().second_try(request(), error(status, word, message))
    return None if changed is None else set(changed.omit)


@pytest.mark.parametrize(
    ("message", "omitted"),
    [
        ("Penalty is not enabled for models/gemini-2.5-pro", {"presence_penalty@m", "frequency_penalty@m"}),
        ("Penalty is not enabled for this model", {"presence_penalty@m", "frequency_penalty@m"}),
        ("Thinking level MINIMAL is not supported for this model. Please retry.", {"thinking_level.minimal@m"}),
        ("'minimal' is not a supported thinking level for this model.", {"thinking_level.minimal@m"}),
        ("Budget 0 is invalid. This model only works in thinking mode.", {"thinking_budget.0@m"}),
        ("Thinking is not enabled for models/gemini-2.0-flash", {"thinking@m"}),
        ("Thinking_config.include_thoughts is only enabled when thinking is enabled.", {"thinking@m"}),
        ("Function call `f` in the 2. content block is missing a `thought_signature`.", {SIGNATURES}),
        ("Corrupted thought signature.", {SIGNATURES}),
        ("something else", None),
    ],
)
def test_what_can_be_left_out_is_left_out_the_next_time(message, omitted):
    assert names(message) == omitted


def test_there_is_no_second_try_twice_nor_for_what_is_no_fault_of_the_request():
    refusal = error(400, "INVALID_ARGUMENT", "Corrupted thought signature.")
    once = provider().second_try(request(), refusal)
    assert provider().second_try(once, refusal) is None
    assert names("Corrupted thought signature.", 503, "UNAVAILABLE") is None


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "message", "status", "code", "details", "violations", "quotaId", "reason"]), inner
    ),
    max_leaves=12,
))  # fmt: skip
def test_any_body_is_some_error_of_ours(body):
    assert isinstance(provider().error(500, {}, dumps(body)), GatewayError)
