"""What any OpenAI-compatible provider promises of the answers it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import sse
from core.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from core.providers.openai_compatible import OpenAICompatible
from core.sse import SILENCE, Event
from schemas.chat import (
    ChatRequest,
    Message,
    Native,
    TextPart,
)
from schemas.codec import dumps
from schemas.stream import Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.fakes import FakeClock

REQUEST = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("anthropic_messages", {}))
DONE = Event(b"[DONE]")


def provider():
    return OpenAICompatible("p", "https://host/v1", FakeClock())


def event(**frame):
    return Event(dumps(frame))


def delta(finish=None, **fields):
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


def decoded(*events):
    return list(provider().decode(events, REQUEST))


def test_usage_in_a_chunk_of_its_own_after_the_finish_reason_is_taken():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    assert decoded(
        delta(role="assistant", content=""),
        delta(role="assistant", content="Hi"),
        delta("stop"),
        event(choices=[], usage=usage),
        DONE,
    ) == [TextDelta("Hi"), Finished("stop", Usage(uncached=6, read=4, output=5))]


def test_usage_null_counts_as_none_given():
    frame = event(choices=[{"delta": {"content": "a"}, "finish_reason": "stop"}], usage=None)
    assert decoded(frame, DONE) == [TextDelta("a"), Finished("stop", None)]


def test_a_whole_completion_in_one_event_is_an_answer_like_any_other():
    call = {"id": 7, "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    other = {"id": 8, "type": "function", "function": {"name": "g", "arguments": "{}"}}
    message = {"role": "assistant", "reasoning_content": "hm", "content": "Hi", "tool_calls": [call, other]}
    whole = Event(
        b"\n\n"
        + dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 2}}),
        "body",
    )
    assert decoded(whole) == [
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(0, "7", "f", '{"a":1}'),
        ToolCallDelta(1, "8", "g", "{}"),
        Finished("tool_calls", Usage(uncached=2)),
    ]


def test_a_whole_completion_is_complete_even_without_a_finish_reason():
    whole = event(choices=[{"message": {"content": "Hi"}, "finish_reason": None}])
    assert decoded(whole) == [TextDelta("Hi"), Finished("stop")]


@pytest.mark.parametrize(
    ("content", "chunks"),
    [
        (None, []),
        ("", []),
        ([], []),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], [TextDelta("ab")]),
        ([{"type": "image_url"}, None, 3], []),
        (5, []),
    ],
)
def test_content_comes_in_any_shape(content, chunks):
    assert decoded(delta("stop", content=content)) == [*chunks, Finished("stop")]


def test_reasoning_is_read_under_both_names():
    assert decoded(delta(reasoning_content="a"), delta(reasoning="b"), delta("stop")) == [
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        Finished("stop"),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "stop"),
        ("function_call", "stop"),
        ("content_filter", "content_filter"),
        ("eos", "stop"),
    ],
)
def test_finish_reasons_are_mapped_to_the_legal_ones(word, reason):
    assert decoded(delta(word, content="a"))[-1] == Finished(reason)


def test_text_after_the_finish_reason_is_not_lost_and_finished_comes_once_and_last():
    assert decoded(delta("stop"), delta(content="late"), delta("stop"), DONE) == [TextDelta("late"), Finished("stop")]


def test_done_without_a_finish_reason_ends_what_came():
    assert decoded(delta(content="a"), DONE)[-1] == Finished("stop")


def test_nothing_is_read_after_done():
    assert decoded(delta("stop", content="a"), DONE, delta(content="b"))[-2:] == [TextDelta("a"), Finished("stop")]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [DONE],
        [delta(content="a")],
        [Event(b"{broken")],
        [Event(b"<html>"), DONE],
        [Event(b"", "body")],
        [Event(b"null", "body")],
        [Event(b'{"choices":null}'), DONE],
    ],
)
def test_an_answer_that_is_none_is_broken(events):
    with pytest.raises(UpstreamBroken):
        decoded(*events)


def test_silence_becomes_a_keep_alive():
    assert decoded(SILENCE, delta(content="a"), SILENCE, delta("stop")) == [
        KeepAlive(),
        TextDelta("a"),
        KeepAlive(),
        Finished("stop"),
    ]


def test_silence_after_the_finish_reason_does_not_hold_up_the_end():
    def events():
        yield delta("stop", content="a")
        yield SILENCE
        raise AssertionError("read on after the end")

    assert list(provider().decode(events(), REQUEST)) == [TextDelta("a"), Finished("stop")]


def breaking(error, *events):
    yield from events
    raise error


def test_a_connection_that_breaks_after_the_finish_reason_costs_nothing():
    events = breaking(UpstreamUnreachable("reset"), delta("length", content="a"))
    assert list(provider().decode(events, REQUEST)) == [TextDelta("a"), Finished("length")]


def test_a_connection_that_breaks_before_the_finish_reason_is_told():
    with pytest.raises(UpstreamTimeout):
        list(provider().decode(breaking(UpstreamTimeout("slow"), delta(content="a")), REQUEST))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "index",
                    "id",
                    "name",
                    "arguments",
                    "finish_reason",
                    "usage",
                    "error",
                    "prompt_tokens",
                    "prompt_tokens_details",
                    "code",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(ANY_JSON, max_size=4))
def test_nothing_a_provider_sends_makes_anything_but_chunks_or_an_error_of_ours(frames):
    try:
        chunks = decoded(*(Event(dumps(frame)) for frame in frames), DONE)
    except GatewayError:
        return
    assert [chunk for chunk in chunks if isinstance(chunk, Finished)] == chunks[-1:]


@given(st.lists(st.fixed_dictionaries({"delta": ANY_JSON, "finish_reason": ANY_JSON}), max_size=4))
def test_nothing_inside_a_choice_does_either(choices):
    try:
        decoded(*(event(choices=[choice]) for choice in choices), DONE)
    except GatewayError:
        return


def test_the_end_of_the_stream_is_recognised_in_bytes_too():
    blocks = [b'data:{"choices":[{"delta":{"content":"\xc3', b'\xa9"},"finish_reason":"stop"}]}\r\n\r\ndata: [DONE]']
    assert decoded(*sse.decode(blocks)) == [TextDelta("é"), Finished("stop")]
