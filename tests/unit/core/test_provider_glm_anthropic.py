"""How GLM's Anthropic-form host differs from Anthropic."""

import pytest

from core import errors
from core.providers.glm_anthropic import GLMAnthropic
from core.providers.zhipu_errors import MEANINGS
from core.sse import Event
from schemas.chat import ThinkingOptions
from schemas.codec import dumps, loads
from schemas.stream import Finished, Started, TextDelta
from schemas.usage import Usage
from tests.fakes import FakeClock
from tests.unit.core.anthropic_kit import (
    ABILITIES,
    CREDENTIAL,
    STOP,
    chat,
    decoded,
    delta,
    ended,
    opened,
    started,
    target,
    user,
)

HELLO = (opened(0, "text", text=""), delta(0, "text_delta", text="Hi"))
NOW = 1_795_219_200.0  # 2026-11-21 08:00:00 in UTC+8


def glm():
    return GLMAnthropic("glm", "https://api.z.ai/api/anthropic", FakeClock(NOW))


def failure(code, message="sorry", kind="rate_limit_error"):
    inner = {"type": kind, "message": message} if code is None else {"type": kind, "code": code, "message": message}
    return {"type": "error", "error": inner, "request_id": "1"}


def error(code, message="sorry", status=429, headers=None):
    return glm().error(status, headers or {}, dumps(failure(code, message)))


def test_it_is_asked_under_its_own_path_with_the_key_as_it_is():
    sent = glm().build(chat(), target("glm-5.3"), CREDENTIAL, "r")
    assert sent.url == "https://api.z.ai/api/anthropic/v1/messages"
    assert sent.headers["x-api-key"] == "sk-ant-verysecret"


def test_it_is_neither_probed_nor_asked_to_count():
    assert glm().probe(CREDENTIAL) is None
    assert glm().count(chat(), target(), CREDENTIAL, "r") is None


def test_its_cache_needs_no_marks():
    sent = glm().build(chat(user()), target("glm-5.3", abilities=ABILITIES | {"prompt_cache"}), CREDENTIAL, "r")
    assert b"cache_control" not in sent.body


def test_its_switch_is_anthropics():
    for thinking, kind in ((ThinkingOptions(enabled=True), "enabled"), (ThinkingOptions(enabled=False), "disabled")):
        sent = glm().build(chat(thinking=thinking), target("glm-4.6", thinking="switch"), CREDENTIAL, "r")
        assert loads(sent.body)["thinking"]["type"] == kind


@pytest.mark.parametrize("code", MEANINGS)
def test_a_business_code_means_the_same_as_at_the_other_host(code):
    told = error(code)
    assert type(told) is MEANINGS[code].kind
    for frame in (
        Event(dumps(failure(code)), "error"),
        Event(dumps(failure(code)), "body"),
        Event(dumps(failure(code))),
    ):
        with pytest.raises(errors.GatewayError) as caught:
            decoded(frame, provider=glm())
        assert type(caught.value) is type(told)


def test_a_code_is_also_read_as_a_number_or_from_the_text():
    assert type(error(1113)) is errors.UpstreamUnpaid
    assert type(error(None, "[1113][no money][20261121]")) is errors.UpstreamUnpaid
    assert error(None, "[1113][no money][20261121]").message == "[1113][no money][20261121]"


def test_a_quota_names_the_time_at_which_it_opens():
    assert error("1308", "Your limit will reset at 2026-11-21 09:30:00").retry_after == 5400.0


def test_without_a_business_code_anthropics_types_count():
    assert type(error(None, "busy")) is errors.UpstreamRateLimited
    assert type(glm().error(529, {}, dumps(failure(None, "busy", "overloaded_error")))) is errors.UpstreamOverloaded
    assert type(glm().error(503, {}, b"<html>")) is errors.UpstreamOverloaded


def test_figures_come_at_the_end_only():
    end = ended(input_tokens=100, cache_read_input_tokens=64, cache_creation_input_tokens=0, output_tokens=9)
    assert decoded(started(input_tokens=0, output_tokens=0), *HELLO, end, STOP, provider=glm()) == [
        Started(None),
        TextDelta("Hi"),
        Finished("stop", Usage(uncached=100, read=64, write_short=0, output=9)),
    ]


def test_its_own_words_for_the_end_are_known():
    assert decoded(*HELLO, ended("sensitive"), STOP, provider=glm())[-1] == Finished("content_filter")
    assert decoded(*HELLO, ended("model_context_window_exceeded"), STOP, provider=glm())[-1] == Finished("length")
    with pytest.raises(errors.UpstreamServerError):
        decoded(*HELLO, ended("network_error"), STOP, provider=glm())
    with pytest.raises(errors.ContextLengthExceeded):
        decoded(ended("model_context_window_exceeded"), STOP, provider=glm())


def test_results_of_its_own_search_are_not_shown_as_text():
    found = opened(1, "tool_result", tool_use_id="s", content="[{'title': 'x'}]")
    assert decoded(*HELLO, found, ended(), STOP, provider=glm()) == [TextDelta("Hi"), Finished("stop")]
