"""What GLM's business codes mean, wherever they come from."""

import pytest

from core import errors
from core.providers.glm import GLM
from core.providers.zhipu_errors import BEIJING, DAY, FIVE_HOURS, HOUR, MEANINGS, WEEK, reset_time
from core.sse import Event
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.codec import dumps
from tests.fakes import FakeClock

NOW = 1_795_219_200.0  # 2026-11-21 08:00:00 in UTC+8
REQUEST = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("openai", {}))


def provider():
    return GLM("glm", "https://api.z.ai/api/paas/v4", FakeClock(NOW))


def error(code, message="sorry", status=429, headers=None):
    return provider().error(status, headers or {}, dumps({"error": {"code": code, "message": message}}))


EXPECTED = {
    errors.UpstreamTokenExpired: "1003",
    errors.UpstreamUnauthorized: "1000 1001 1002 1004 1005 1110 1111 1112 1121",
    errors.UpstreamServerError: "500 1100 1120 1200 1230 1234",
    errors.UpstreamQuotaExhausted: "1304 1308 1309 1310 1313 1316 1317 1318 1319 1320 1321",
    errors.UpstreamUnpaid: "1113",
    errors.UpstreamForbidden: "1220 1314 1315",
    errors.UpstreamOutsidePlan: "1311",
    errors.UpstreamRateLimited: "1302 1303",
    errors.UpstreamOverloaded: "1305 1312",
    errors.InvalidRequest: "1210 1212 1213 1214 1215 1221 1222",
    errors.ModelNotFound: "1211",
    errors.ProviderConflict: "1231",
    errors.ContextLengthExceeded: "1261",
    errors.ContentRefused: "1300 1301",
}
CASES = [(code, kind) for kind, codes in EXPECTED.items() for code in codes.split()]


def test_every_code_is_expected_somewhere():
    assert {code for code, _ in CASES} == set(MEANINGS)


@pytest.mark.parametrize(("code", "kind"), CASES)
def test_a_code_means_the_same_in_http_errors_in_200s_and_in_streams(code, kind):
    assert type(error(code)) is kind
    assert type(error(int(code))) is kind
    body = dumps({"error": {"code": code, "message": "sorry"}})
    for frame in (Event(body), Event(body, "error"), Event(body, "body")):
        with pytest.raises(errors.GatewayError) as caught:
            list(provider().decode([frame], REQUEST))
        assert type(caught.value) is kind


def test_the_providers_own_words_and_code_are_kept():
    told = error("1113", "Insufficient balance")
    assert (told.message, told.code, told.provider_code) == ("Insufficient balance", "insufficient_quota", "1113")
    assert error("1210", "bad").details == {"provider_code": "1210"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1000", "upstream_unauthorized"),
        ("1112", "account_deactivated"),
        ("1211", "model_not_found"),
        ("1220", "model_not_found"),
        ("1261", "context_length_exceeded"),
        ("1300", "content_policy_violation"),
        ("1301", "content_filter"),
        ("1302", "rate_limit_exceeded"),
        ("1305", "overloaded"),
        ("1308", "usage_limit_reached"),
        ("1311", "model_not_found"),
    ],
)
def test_the_client_sees_a_code_it_knows(code, told):
    assert error(code).code == told


@pytest.mark.parametrize(
    "text", ["modelCode glm-99 does not exist", "模型不存在，请检查模型代码", "The model was not found"]
)
def test_an_illegal_parameter_that_is_an_unknown_model_is_said_so(text):
    assert type(error("1214", text, 400)) is errors.ModelNotFound


def test_a_named_field_becomes_the_param():
    assert error("1214", "messages 参数非法", 400).param == "messages"
    assert error("1213", "未正常接收到prompt参数", 400).param is None
    assert error("1214", "The user_id is too short", 400).param == "user"


LIMIT = "Usage limit reached for 5 hour. Your limit will reset at {}"


@pytest.mark.parametrize(
    ("code", "reset", "seconds"),
    [
        ("1308", "2026-11-21 09:30:00", 1.5 * HOUR),
        ("1308", "2026-11-23 09:30:00", FIVE_HOURS.cap),
        ("1310", "2026-11-23 08:00:00", 2 * DAY),
        ("1310", "2027-11-23 08:00:00", WEEK.cap),
        ("1316", "2026-11-21 07:00:00", 60),
        ("1317", "2026-13-45 99:00:00", WEEK.unknown),
        ("1308", "some day", FIVE_HOURS.unknown),
        ("1304", "tomorrow", 16 * HOUR),
    ],
)
def test_a_used_up_quota_is_waited_for_as_long_as_told_within_its_cap(code, reset, seconds):
    assert error(code, LIMIT.format(reset)).retry_after == seconds


@pytest.mark.parametrize("code", ["1113", "1309", "1313"])
def test_what_nobody_resets_has_no_time(code):
    assert error(code, LIMIT.format("2026-11-21 09:30:00")).retry_after is None


def test_a_header_stands_where_the_text_is_silent():
    assert error("1302", headers={"retry-after": "4"}).retry_after == 4
    assert error("1308", headers={"retry-after": "120"}).retry_after == 120
    assert error("1308", LIMIT.format("2026-11-21 09:00:00"), headers={"retry-after": "120"}).retry_after == HOUR


def test_reset_times_are_read_in_beijings_zone():
    assert reset_time("at 2026-11-21 08:00:00") == NOW
    assert BEIJING.utcoffset(None).total_seconds() == 8 * HOUR


def test_an_unknown_code_leaves_the_word_to_the_status():
    assert type(error("9999", status=429)) is errors.UpstreamRateLimited
    assert type(error("9999", status=500)) is errors.UpstreamServerError


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 401, "msg": "token expired", "success": False}, errors.UpstreamUnauthorized),
        ({"code": 500, "msg": "404 NOT_FOUND", "success": False}, errors.UpstreamServerError),
        ({"error": {"code": "9999", "message": "odd"}}, errors.UpstreamServerError),
        ({"error": {"code": "1302", "message": "fast"}, "request_id": "x"}, errors.UpstreamRateLimited),
    ],
)
def test_a_200_that_is_an_error_is_seen_in_every_shape(body, kind):
    with pytest.raises(errors.GatewayError) as caught:
        list(provider().decode([Event(dumps(body), "body")], REQUEST))
    assert type(caught.value) is kind


def test_an_http_error_without_a_readable_body_speaks_by_its_status():
    assert type(provider().error(429, {}, b"")) is errors.UpstreamRateLimited
    assert type(provider().error(502, {}, b"<html>")) is errors.UpstreamServerError


def test_a_key_in_the_providers_words_never_reaches_the_client():
    key = "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp"
    for code in MEANINGS:
        told = error(code, f"key {key} is no good")
        assert key not in str(told)
        assert "AbCdEfGh" not in repr((told.message, told.code, told.details))
