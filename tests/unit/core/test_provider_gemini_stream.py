"""What the Gemini provider promises of the answers it reads."""

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import sse
from core.errors import (
    ContentRefused,
    GatewayError,
    UpstreamBroken,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from core.sse import SILENCE, Event
from schemas.codec import dumps
from schemas.stream import Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.unit.core.gemini_kit import decoded, event, provider, request

COUNTS = {"promptTokenCount": 29, "candidatesTokenCount": 15, "totalTokenCount": 848, "thoughtsTokenCount": 804}
CALL = {"functionCall": {"name": "weather", "args": {"city": "Rome", "n": [1, 2.5, None]}}, "thoughtSignature": "c2ln"}
RECORDED = b"".join(
    sse.encode(each.data)
    for each in (
        event({"text": "Let mé think. ", "thought": True}, usageMetadata={"promptTokenCount": 29}),
        event({"text": "It is "}, {"text": "☀️"}, usageMetadata={**COUNTS, "candidatesTokenCount": 5}),
        event({**CALL, "functionCall": {**CALL["functionCall"], "id": "c1"}}, usageMetadata=COUNTS),
        event({"text": "", "thoughtSignature": "x"}, finish="STOP", usageMetadata=COUNTS),
    )
)
SAID = [
    ReasoningDelta("Let mé think. "),
    TextDelta("It is "),
    TextDelta("☀️"),
    ToolCallDelta(0, "c1", "weather", '{"city":"Rome","n":[1,2.5,null]}', "c2ln"),
    Finished("tool_calls", Usage(uncached=29, read=0, output=819, reasoning=804)),
]


def test_thoughts_text_and_calls_come_in_order_with_the_last_counts():
    assert decoded(*sse.decode([RECORDED])) == SAID


def test_a_stream_cut_at_any_byte_says_the_same():
    for at in range(1, len(RECORDED)):
        assert decoded(*sse.decode([RECORDED[:at], RECORDED[at:]])) == SAID


def test_two_streams_that_interleave_do_not_mix():
    one, other = (provider().decode(iter(events), request()) for events in (
        [event({"text": "a"}), event(CALL), event(finish="STOP")],
        [event({"text": "x"}), event({"text": "y"}), event(finish="MAX_TOKENS")],
    ))  # fmt: skip
    pairs = list(zip(one, other, strict=True))
    assert [right for _, right in pairs] == [TextDelta("x"), TextDelta("y"), Finished("length")]
    assert [left.index for left, _ in pairs if isinstance(left, ToolCallDelta)] == [0]


@pytest.mark.parametrize("name", [None, "body"])
def test_an_array_and_a_whole_body_are_answers_too(name):
    frames = [event({"text": "a"}), event({"text": "b"}, finish="STOP", usageMetadata=COUNTS)]
    end = Finished("stop", Usage(uncached=29, read=0, output=819, reasoning=804))
    array = b"[" + b",\r\n".join(frame.data for frame in frames) + b"]\n"
    assert decoded(Event(array, name)) == [TextDelta("a"), TextDelta("b"), end]
    assert decoded(Event(frames[1].data, name)) == [TextDelta("b"), end]


def test_calls_are_numbered_and_get_an_id_where_gemini_gives_none():
    bare = {"functionCall": {"name": "clock"}}
    calls = decoded(event(CALL, bare), event({"functionCall": {"id": "", "name": "f", "args": "odd"}}, finish="STOP"))[
        :3
    ]
    assert [(call.index, call.name, call.arguments, call.signature) for call in calls] == [
        (0, "weather", '{"city":"Rome","n":[1,2.5,null]}', "c2ln"),
        (1, "clock", "{}", None),
        (2, "f", "odd", None),
    ]
    assert len({call.id for call in calls}) == 3
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", call.id) for call in calls)


def test_a_call_without_a_name_is_broken():
    with pytest.raises(UpstreamBroken):
        decoded(event({"functionCall": {"args": {}}}, finish="STOP"))


def test_code_that_google_ran_comes_as_fenced_text_and_images_are_left_out():
    parts = (
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        {"executableCode": {"language": "``` x", "code": "y"}},
        {"toolCall": {"name": "x"}},
    )
    assert decoded(event(*parts, finish="STOP")) == [
        TextDelta("\n```python\nprint(1)\n```\n"),
        TextDelta("\n```\n1\n```\n"),
        TextDelta("\n```\ny\n```\n"),
        Finished("stop"),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        *((word, "content_filter") for word in ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT")),
        *((word, "content_filter") for word in ("SPII", "IMAGE_SAFETY", "MODEL_ARMOR", "ESCALATION")),
        *((word, "stop") for word in ("OTHER", "FINISH_REASON_UNSPECIFIED", "NO_IMAGE", "SOMETHING_NEW")),
        *((word, "stop") for word in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")),
        *((word, "stop") for word in ("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE")),
    ],
)
def test_the_end_after_something_was_said(word, reason):
    assert decoded(event({"text": "a"}), event(finish=word)) == [TextDelta("a"), Finished(reason)]


@pytest.mark.parametrize("word", ["MALFORMED_FUNCTION_CALL", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE"])
def test_a_failure_before_anything_was_said_is_the_providers(word):
    candidate = {"content": {}, "finishReason": word, "finishMessage": "it went wrong"}
    with pytest.raises(UpstreamServerError, match="it went wrong") as caught:
        decoded(Event(dumps({"candidates": [candidate]})))
    assert caught.value.provider_code == word


@pytest.mark.parametrize(
    ("word", "reason"), [("STOP", "tool_calls"), ("MAX_TOKENS", "length"), ("OTHER", "tool_calls")]
)
def test_an_answer_that_calls_ends_in_its_calls_unless_it_was_cut(word, reason):
    assert decoded(event(CALL), event(finish=word))[-1] == Finished(reason)


def test_an_answer_that_is_stopped_for_safety_at_once_is_filtered():
    assert decoded(event(finish="SAFETY")) == [Finished("content_filter")]


def test_a_refused_prompt_is_refused():
    frame = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 9}}
    with pytest.raises(ContentRefused, match="PROHIBITED_CONTENT") as caught:
        decoded(Event(dumps(frame)))
    assert (caught.value.status, caught.value.code) == (400, "content_filter")
    told = {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "not that"}}
    with pytest.raises(ContentRefused, match="not that"):
        decoded(Event(dumps(told)))


def test_a_prompt_that_is_refused_late_ends_the_answer():
    late = Event(dumps({"promptFeedback": {"blockReason": "SAFETY"}}))
    assert decoded(event({"text": "a"}), late) == [TextDelta("a"), Finished("content_filter")]


def test_feedback_without_a_reason_is_none():
    assert decoded(event({"text": "a"}, finish="STOP", promptFeedback={"safetyRatings": []}))[-1] == Finished("stop")


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (None, None),
        ({}, None),
        ({"totalTokenCount": 5}, None),
        ({"promptTokenCount": 10}, Usage(uncached=10, read=0)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": "8"}, Usage(uncached=10)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 8}, Usage(uncached=2, read=8)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 0}, Usage(uncached=10, read=0)),
        ({"promptTokenCount": 55, "candidatesTokenCount": 51, "toolUsePromptTokenCount": 89, "thoughtsTokenCount": 56},
         Usage(uncached=144, read=0, output=107, reasoning=56)),
        ({"candidatesTokenCount": 5}, Usage(output=5)),
        ({"thoughtsTokenCount": 5, "promptTokenCount": 1}, Usage(uncached=1, read=0, output=5, reasoning=5)),
        ({"promptTokenCount": "10", "candidatesTokenCount": True, "thoughtsTokenCount": 2},
         Usage(output=2, reasoning=2)),
    ],
)  # fmt: skip
def test_counts_are_disjoint_and_what_is_not_told_is_unknown(counts, usage):
    frame = {} if counts is None else {"usageMetadata": counts}
    assert decoded(event({"text": "a"}, finish="STOP", **frame))[-1] == Finished("stop", usage)


def test_the_last_counts_stand_and_are_not_added_up():
    events = (
        event({"text": "a"}, usageMetadata={"promptTokenCount": 5, "cachedContentTokenCount": 4}),
        event({"text": "b"}, usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 1}),
        event(finish="STOP", usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2}),
    )
    assert decoded(*events)[-1].usage == Usage(uncached=1, read=4, output=2)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event({"text": "a"})],
        [Event(b"{broken")],
        [Event(b"<html>", "body")],
        [Event(b"null")],
        [Event(b"[]", "body")],
        [Event(b'{"candidates":null}')],
        [Event(b"\xff\xfe")],
        [Event(b"[DONE]")],
    ],
)
def test_an_answer_that_does_not_say_it_ended_is_broken(events):
    with pytest.raises(UpstreamBroken):
        decoded(*events)


def test_an_end_that_only_proxies_send_is_no_trouble():
    assert decoded(event({"text": "a"}, finish="STOP"), Event(b"[DONE]")) == [TextDelta("a"), Finished("stop")]


def failing(code, status, **fields):
    return {"error": {"code": code, "message": "no", "status": status, **fields}}


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (failing(503, "UNAVAILABLE"), UpstreamOverloaded),
        ([failing(429, "RESOURCE_EXHAUSTED")], UpstreamRateLimited),
        (failing(500, "INTERNAL"), UpstreamServerError),
        (failing(599, None), UpstreamServerError),
        ({"error": "text"}, UpstreamServerError),
    ],
)
def test_an_error_in_the_middle_is_told_as_what_it_is(frame, kind):
    chunks = provider().decode([event({"text": "a"}), Event(dumps(frame))], request())
    assert next(chunks) == TextDelta("a")
    with pytest.raises(kind):
        next(chunks)


def test_silence_becomes_a_keep_alive_and_ends_an_answer_that_is_whole():
    def events():
        yield SILENCE
        yield event({"text": "a"}, finish="STOP")
        yield SILENCE
        raise AssertionError("read on after the end")

    assert list(provider().decode(events(), request())) == [KeepAlive(), TextDelta("a"), Finished("stop")]


def test_what_comes_after_the_finish_reason_is_not_lost():
    assert decoded(event({"text": "a"}, finish="STOP"), event({"text": "b"}, finish="STOP"))[:2] == [
        TextDelta("a"),
        TextDelta("b"),
    ]


def breaking(error, *events):
    yield from events
    raise error


def test_a_connection_that_breaks_costs_nothing_after_the_end_and_is_told_before_it():
    whole = breaking(UpstreamUnreachable("reset"), event({"text": "a"}, finish="STOP"))
    assert list(provider().decode(whole, request())) == [TextDelta("a"), Finished("stop")]
    with pytest.raises(UpstreamTimeout):
        list(provider().decode(breaking(UpstreamTimeout("slow"), event({"text": "a"})), request()))


def test_ten_thousand_tiny_pieces_and_one_of_five_megabytes_are_read_in_no_time():
    began = process_time()
    tiny = decoded(*(event({"text": "x"}) for _ in range(10_000)), event(finish="STOP"))
    large = decoded(event({"text": "é" * 2_500_000}, finish="STOP"))
    assert process_time() - began < 5
    assert len(tiny) == 10_001
    assert len(large[0].text) == 2_500_000


NAMES = [
    "candidates", "content", "parts", "text", "thought", "functionCall", "name", "args", "id", "finishReason", "index",
    "usageMetadata", "promptTokenCount", "thoughtsTokenCount", "promptFeedback", "blockReason", "error", "code",
    "status", "details", "violations", "executableCode", "codeExecutionResult", "thoughtSignature", "retryDelay",
]  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=15,
)


@given(st.lists(ANY_JSON, max_size=4))
def test_nothing_gemini_sends_makes_anything_but_chunks_or_an_error_of_ours(frames):
    try:
        chunks = decoded(*(Event(dumps(frame)) for frame in frames), event(finish="STOP"))
    except GatewayError:
        return
    assert [chunk for chunk in chunks if isinstance(chunk, Finished)] == chunks[-1:]


@given(st.lists(ANY_JSON, max_size=4), ANY_JSON, ANY_JSON)
def test_nothing_inside_a_candidate_does_either(parts, reason, counts):
    candidate = {"content": {"parts": parts}, "finishReason": reason}
    try:
        decoded(Event(dumps({"candidates": [candidate], "usageMetadata": counts})), event(finish="STOP"))
    except GatewayError:
        return


@given(st.binary(max_size=60))
def test_garbage_is_broken(data):
    with pytest.raises(GatewayError):
        decoded(Event(b"{" + data))
