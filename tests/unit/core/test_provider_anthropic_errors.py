"""What the errors of an Anthropic-form endpoint mean."""

import pytest

from core import errors
from core.sse import Event
from schemas.chat import Message, ThinkingBlock
from schemas.codec import dumps
from tests.unit.core.anthropic_kit import assistant, chat, claude, decoded, native, user

NOW = 1_795_000_000.0  # the fake clock's, 2026-11-18 11:06:40 UTC


def error(kind, message="sorry", status=400, headers=None, **fields):
    body = {"type": "error", "error": {"type": kind, "message": message, **fields}, "request_id": "req_1"}
    return claude().error(status, headers or {}, dumps(body))


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("invalid_request_error", 400, errors.InvalidRequest),
        ("authentication_error", 401, errors.UpstreamUnauthorized),
        ("billing_error", 402, errors.UpstreamQuotaExhausted),
        ("permission_error", 403, errors.UpstreamForbidden),
        ("not_found_error", 404, errors.NotFound),
        ("conflict_error", 409, errors.ProviderConflict),
        ("request_too_large", 413, errors.BodyTooLarge),
        ("rate_limit_error", 429, errors.UpstreamRateLimited),
        ("api_error", 500, errors.UpstreamServerError),
        ("timeout_error", 504, errors.UpstreamTimeout),
        ("overloaded_error", 529, errors.UpstreamOverloaded),
        ("made_up_error", 529, errors.UpstreamOverloaded),
        ("made_up_error", 500, errors.UpstreamServerError),
        ("made_up_error", 402, errors.UpstreamQuotaExhausted),
    ],
)
def test_each_type_has_its_meaning(kind, status, expected):
    told = error(kind, status=status)
    assert type(told) is expected
    if kind != "authentication_error":
        assert told.message == "sorry"


def test_a_type_means_the_same_inside_an_answer():
    for kind, expected in (("overloaded_error", errors.UpstreamOverloaded), ("made_up", errors.UpstreamServerError)):
        with pytest.raises(expected):
            decoded(Event(dumps({"type": "error", "error": {"type": kind, "message": "m"}}), "error"))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", errors.ContextLengthExceeded),
        ("input length and `max_tokens` exceed context limit: 9 + 9 > 10", errors.ContextLengthExceeded),
        ("Output blocked by content filtering policy", errors.ContentRefused),
        ("Your credit balance is too low to access the Anthropic API.", errors.UpstreamQuotaExhausted),
        ("You have reached your specified API usage limits.", errors.UpstreamQuotaExhausted),
        ("This organization has been disabled.", errors.UpstreamUnauthorized),
        ("messages.0: all messages must have non-empty content", errors.InvalidRequest),
    ],
)
def test_an_invalid_request_may_be_something_else(message, expected):
    assert type(error("invalid_request_error", message)) is expected


def test_a_model_that_is_not_there_is_told_from_other_things_that_are_not():
    missing = error("not_found_error", "model: claude-x", 404)
    assert (type(missing), missing.param) == (errors.ModelNotFound, "model")
    assert type(error("not_found_error", "file_123 was not found", 404)) is errors.NotFound


def test_a_key_that_may_not_use_one_model_is_sound_for_others():
    assert error("permission_error", "Your key may not use this model", 403).code == "model_not_found"
    assert error("permission_error", "Not from this address", 403).code == "upstream_forbidden"


def test_the_words_are_the_providers_own_but_secrets_are_starred_out():
    said = "messages.1.content.0.thinking.signature: Field required"
    told = error("invalid_request_error", said)
    assert (told.message, told.param) == (said, "messages.1.content.0.thinking.signature")
    assert "verysecret" not in error("api_error", "bad key sk-ant-api03-verysecret", 500).message
    refused = error("authentication_error", "invalid x-api-key sk-ant-verysecret", 401)
    assert "verysecret" not in refused.message


def test_a_spending_limit_without_an_end_is_no_matter_of_speed():
    cause = {"details": {"error_code": "enforced_spend_limit_reached"}}
    told = error("rate_limit_error", "limit", 429, **cause)
    assert type(told) is errors.UpstreamQuotaExhausted
    assert told.details == {"error_code": "enforced_spend_limit_reached"}
    soon = error("rate_limit_error", "limit", 429, {"retry-after": "7"}, **cause)
    assert (type(soon), soon.retry_after) == (errors.UpstreamRateLimited, 7.0)


def test_the_stable_cause_is_carried():
    told = error("invalid_request_error", "m", details={"error_code": "tool_name_conflict"})
    assert told.details == {"provider_code": "tool_name_conflict", "error_code": "tool_name_conflict"}
    assert error("invalid_request_error", "m", details="odd").details is None


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("You will regain access on 2026-12-01 at 00:00 UTC.", 1_796_083_200.0 - NOW),
        ("You will regain access on 2026-12-01.", 1_796_083_200.0 - NOW),
        ("You will regain access on 2026-01-01 at 00:00 UTC.", 60.0),
        ("You will regain access on 2026-99-01 at 00:00 UTC.", None),
        ("", None),
    ],
)
def test_the_end_of_a_spending_limit_is_read_from_its_text(text, wait):
    told = error("invalid_request_error", f"You have reached your specified API usage limits. {text}")
    assert (told.retry_after, told.code) == (wait, "spend_limit_reached" if wait else "insufficient_quota")


def test_no_header_says_when_there_will_be_money():
    told = error("billing_error", "Your credit balance is too low", 402, {"retry-after": "7"})
    assert (type(told), told.retry_after) == (errors.UpstreamQuotaExhausted, None)


def test_waiting_times_are_honoured():
    assert error("rate_limit_error", "m", 429, {"retry-after": "2.5"}).retry_after == 2.5
    assert error("overloaded_error", "m", 529, {"retry-after-ms": "500"}).retry_after == 0.5


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (413, b"<html>too large</html>", errors.BodyTooLarge),
        (502, b"<html>bad gateway</html>", errors.UpstreamServerError),
        (529, b"", errors.UpstreamOverloaded),
        (429, b"null", errors.UpstreamRateLimited),
        (401, b"\xff", errors.UpstreamUnauthorized),
    ],
)
def test_bodies_that_say_nothing_leave_the_status_to_speak(status, body, expected):
    told = claude().error(status, {"retry-after": "3"}, body)
    assert (type(told), told.retry_after) == (expected, 3.0)
    assert "html" not in told.message


def test_other_shapes_of_errors_are_read_too():
    openai = {"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}}
    told = claude().error(402, {}, dumps(openai))
    assert (type(told), told.message) == (errors.UpstreamQuotaExhausted, "Insufficient Balance")
    assert claude().error(422, {}, b'{"detail":"no"}').message == "no"


SIGNED = assistant("x", thinking=(ThinkingBlock("a", "sig"),))
REFUSALS = [
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "messages.1.content.0.thinking.signature: Field required",
    "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest message cannot be modified.",
    "Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
]


@pytest.mark.parametrize("message", REFUSALS)
def test_refused_thinking_is_tried_without_once(message):
    refused = error("invalid_request_error", message)
    for request in (chat(user(), SIGNED, user()), native(b"{}", Message("user"), SIGNED)):
        again = claude().second_try(request, refused)
        assert again is not None
        assert again.omit == {"thinking_replay"}
        assert again.native is request.native
        assert claude().second_try(again, refused) is None


def test_other_refusals_and_histories_without_thinking_are_not_tried_again():
    request = chat(user(), SIGNED, user())
    for message in (
        "max_tokens: too large",
        "`thinking.budget_tokens` must be at least 1024",
        "thinking is not supported",
    ):
        assert claude().second_try(request, error("invalid_request_error", message)) is None
    assert claude().second_try(chat(user()), error("invalid_request_error", REFUSALS[0])) is None
    assert claude().second_try(request, error("api_error", REFUSALS[0], 500)) is None
