"""What the Ollama provider promises of the answers it reads."""

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    GatewayError,
    ModelNotFound,
    UpstreamBroken,
    UpstreamOverloaded,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from core.sse import SILENCE, Event
from schemas.codec import dumps
from schemas.stream import Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage
from services.upstream_events import events_of
from tests.unit.core.ollama_kit import decoded, line, provider, request

COUNTS = {"prompt_eval_count": 26, "eval_count": 298, "total_duration": 5_000_000}
CALL = {"id": "c1", "function": {"name": "weather", "arguments": {"city": "Rome", "n": [1, 2.5, None]}}}
LINES = (
    line(thinking="Let mé think."),
    line(content="It is "),
    line(content="☀️"),
    line(calls=[CALL]),
    line(done=COUNTS, reason="stop"),
)
SAID = [
    ReasoningDelta("Let mé think."),
    TextDelta("It is "),
    TextDelta("☀️"),
    ToolCallDelta(0, "c1", "weather", '{"city":"Rome","n":[1,2.5,null]}'),
    Finished("tool_calls", Usage(uncached=26, output=298)),
]


def test_thinking_text_and_calls_come_in_order_with_the_counts():
    assert decoded(*LINES) == SAID


@pytest.mark.parametrize("name", [None, "line", "body"])
def test_lines_come_one_an_event_or_several(name):
    data = b"\n".join(each.data for each in LINES)
    assert decoded(Event(data, name)) == SAID
    assert decoded(Event(b"\r\n" + data.replace(b"\n", b"\r\n") + b"\n\n", name)) == SAID
    for at in range(1, len(LINES)):
        halves = (b"\n".join(each.data for each in part) for part in (LINES[:at], LINES[at:]))
        assert decoded(*(Event(half, name) for half in halves)) == SAID


def test_a_body_cut_at_any_byte_says_the_same():
    data = b"".join(each.data + b"\n" for each in LINES)
    kind = {"content-type": "application/x-ndjson"}
    for at in range(1, len(data)):
        assert decoded(*events_of(kind, [data[:at], data[at:]])) == SAID


def test_a_whole_body_that_spreads_over_lines_is_one_object():
    body = b'{\n  "message": {\n    "content": "Hi"\n  },\n  "done": true,\n  "done_reason": "stop"\n}\n'
    assert decoded(Event(body, "body")) == [TextDelta("Hi"), Finished("stop")]


def test_two_streams_that_interleave_do_not_mix():
    other = (
        line(calls=[CALL]),
        line(content="x"),
        line(content="y"),
        line(content="z"),
        line(done={}, reason="length"),
    )
    pairs = list(zip(provider().decode(iter(LINES), request()), provider().decode(iter(other), request()), strict=True))
    assert [left for left, _ in pairs] == SAID
    assert [right for _, right in pairs][1:] == [TextDelta("x"), TextDelta("y"), TextDelta("z"), Finished("length")]


def test_calls_are_numbered_and_get_an_id_where_there_is_none():
    bare = {"function": {"name": "clock"}}
    calls = decoded(line(calls=[CALL, bare]), line(calls=[{**bare, "id": ""}]), line(done={}))[:3]
    assert [(call.index, call.name, call.arguments) for call in calls] == [
        (0, "weather", '{"city":"Rome","n":[1,2.5,null]}'),
        (1, "clock", "{}"),
        (2, "clock", "{}"),
    ]
    assert len({call.id for call in calls}) == 3
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", call.id) for call in calls[1:])


def test_arguments_that_are_text_already_stay_as_they_are():
    call = {"function": {"name": "f", "arguments": '{"a": 1}'}}
    assert decoded(line(calls=[call]), line(done={}))[0].arguments == '{"a": 1}'


@pytest.mark.parametrize("call", [{}, {"function": {}}, {"function": {"name": 5}}, None])
def test_a_call_without_a_name_is_broken(call):
    with pytest.raises(UpstreamBroken):
        decoded(line(calls=[call]), line(done={}))


@pytest.mark.parametrize(
    ("word", "reason"),
    [("stop", "stop"), ("length", "length"), (None, "stop"), ("load", "stop"), ("unload", "stop"), ("new", "stop")],
)
def test_the_end_after_something_was_said(word, reason):
    assert decoded(line(content="a"), line(done={}, reason=word)) == [TextDelta("a"), Finished(reason)]


@pytest.mark.parametrize(("word", "reason"), [("stop", "tool_calls"), (None, "tool_calls"), ("length", "length")])
def test_an_answer_that_calls_ends_in_its_calls_unless_it_was_cut(word, reason):
    assert decoded(line(calls=[CALL]), line(done={}, reason=word))[-1] == Finished(reason)


@pytest.mark.parametrize("word", ["load", "unload"])
def test_a_model_that_was_only_loaded_did_not_answer(word):
    with pytest.raises(UpstreamBroken, match=word):
        decoded(line(done={}, reason=word))


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({}, None),
        ({"eval_count": 5}, Usage(output=5)),
        ({"prompt_eval_count": 7}, Usage(uncached=7)),
        ({"prompt_eval_count": 0, "eval_count": 0}, Usage(uncached=0, output=0)),
        ({"prompt_eval_count": "7", "eval_count": None}, None),
    ],
)
def test_a_count_that_is_missing_is_unknown_and_not_zero(counts, usage):
    assert decoded(line(content="a"), line(done=counts, reason="stop"))[-1] == Finished("stop", usage)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [line(content="a")],
        [Event(b"{broken")],
        [Event(b'{"done":true}{"done":true}')],
        [Event(b"<html>\n<body>", "body")],
        [Event(b'{"message":{}}\n{broken')],
        [Event(b"null"), Event(b"[]"), Event(b"5")],
        [Event(b'{"done":"true"}')],
        [Event(b"\xff\xfe\n\xff")],
        [Event(b"\n\n")],
    ],
)
def test_an_answer_that_does_not_say_it_ended_is_broken(events):
    with pytest.raises(UpstreamBroken):
        decoded(*events)


def test_nothing_is_read_after_the_end():
    def events():
        yield Event(LINES[-1].data + b"\n{broken")
        raise AssertionError("read on after the end")

    end = LINES[-1]
    assert decoded(line(content="a"), Event(end.data + b"\n" + LINES[1].data))[-1].reason == "stop"
    assert list(provider().decode(events(), request()))[-1].usage == Usage(uncached=26, output=298)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("model 'x' not found", ModelNotFound),
        ("an error was encountered while running the model: CUDA error", UpstreamServerError),
        ("server busy, please try again.  maximum pending requests exceeded", UpstreamOverloaded),
        ({"message": "gone wrong", "type": "api_error"}, UpstreamServerError),
    ],
)
def test_an_error_in_the_middle_is_told_as_what_it_is(said, kind):
    chunks = provider().decode([line(content="a"), Event(dumps({"error": said}))], request())
    assert next(chunks) == TextDelta("a")
    with pytest.raises(kind):
        next(chunks)


def test_silence_becomes_a_keep_alive():
    assert decoded(SILENCE, line(content="a"), SILENCE, line(done={})) == [
        KeepAlive(),
        TextDelta("a"),
        KeepAlive(),
        Finished("stop"),
    ]


def breaking(error, *events):
    yield from events
    raise error


def test_a_connection_that_breaks_costs_nothing_after_the_end_and_is_told_before_it():
    whole = breaking(UpstreamUnreachable("reset"), line(content="a"), line(done={}))
    assert list(provider().decode(whole, request())) == [TextDelta("a"), Finished("stop")]
    with pytest.raises(UpstreamTimeout):
        list(provider().decode(breaking(UpstreamTimeout("slow"), line(content="a")), request()))


def test_ten_thousand_tiny_pieces_and_one_of_five_megabytes_are_read_in_no_time():
    began = process_time()
    pieces = [line(content="x") for _ in range(10_000)]
    assert len(decoded(*pieces, line(done={}))) == 10_001
    assert len(decoded(Event(b"\n".join(piece.data for piece in (*pieces, line(done={})))))) == 10_001
    assert len(decoded(line(content="é" * 2_500_000), line(done={}))[0].text) == 2_500_000
    assert process_time() - began < 5


NAMES = ["message", "content", "thinking", "tool_calls", "function", "name", "arguments", "id", "done", "done_reason",
         "prompt_eval_count", "eval_count", "error", "code", "status", "signin_url"]  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(ANY_JSON, max_size=4), st.sampled_from([b"\n", b""]))
def test_nothing_ollama_sends_makes_anything_but_chunks_or_an_error_of_ours(frames, joint):
    events = [Event(dumps(frame)) for frame in frames]
    try:
        chunks = decoded(*([Event(joint.join(each.data for each in events))] if joint else events), line(done={}))
    except GatewayError:
        return
    assert [chunk for chunk in chunks if isinstance(chunk, Finished)] == chunks[-1:]


@given(st.binary(max_size=60))
def test_garbage_is_broken(data):
    with pytest.raises(GatewayError):
        decoded(Event(b"{" + data))
