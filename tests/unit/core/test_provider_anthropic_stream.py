"""What is read from an answer in Anthropic's form when the client speaks another."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import sse
from core.errors import (
    ContextLengthExceeded,
    UpstreamBroken,
    UpstreamOverloaded,
    UpstreamServerError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from core.sse import SILENCE, Event
from schemas.codec import dumps
from schemas.stream import Finished, KeepAlive, ReasoningDelta, Signature, Started, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.unit.core.anthropic_kit import (
    STOP,
    chat,
    claude,
    closed,
    decoded,
    delta,
    ended,
    event,
    opened,
    started,
    wire,
)

FULL = (
    started(input_tokens=12, cache_read_input_tokens=5000, cache_creation_input_tokens=0, output_tokens=1),
    opened(0, "thinking", thinking="", signature=""),
    event("ping"),
    delta(0, "thinking_delta", thinking="hm é"),
    delta(0, "signature_delta", signature="sig=="),
    closed(0),
    opened(1, "text", text=""),
    delta(1, "text_delta", text="Grüß"),
    delta(1, "text_delta", text=" dich 👋\n"),
    delta(1, "citations_delta", citation={"type": "char_location"}),
    closed(1),
    opened(2, "server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    delta(2, "input_json_delta", partial_json='{"query":"x"}'),
    closed(2),
    opened(3, "web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"type": "web_search_result"}]),
    closed(3),
    opened(4, "tool_use", id="toolu_1", name="f", input={}),
    delta(4, "input_json_delta", partial_json=""),
    delta(4, "input_json_delta", partial_json='{"a"'),
    delta(4, "input_json_delta", partial_json=":1}"),
    closed(4),
    opened(5, "tool_use", id="toolu_2", name="g", input={}),
    closed(5),
    ended("tool_use", output_tokens=30),
    STOP,
)
START = Started(Usage(uncached=12, read=5000, write_short=0))
CHUNKS = [
    START,
    KeepAlive(),
    ReasoningDelta("hm é"),
    Signature("sig=="),
    TextDelta("Grüß"),
    TextDelta(" dich 👋\n"),
    ToolCallDelta(0, "toolu_1", "f"),
    ToolCallDelta(0, arguments='{"a"'),
    ToolCallDelta(0, arguments=":1}"),
    ToolCallDelta(1, "toolu_2", "g"),
    ToolCallDelta(1, arguments="{}"),
    Finished("tool_calls", Usage(uncached=12, read=5000, write_short=0, output=30)),
]
HELLO = (opened(0, "text", text=""), delta(0, "text_delta", text="Hi"), closed(0))


def nameless(events):
    return [Event(one.data) for one in events]


def broken_off(*events, error=UpstreamUnreachable):
    yield from events
    raise error("gone")


def test_an_answer_is_read_in_the_order_in_which_it_comes():
    assert decoded(*FULL) == CHUNKS


def test_events_are_understood_by_their_type_when_they_have_no_name():
    assert decoded(*nameless(FULL)) == CHUNKS


def test_a_stream_cut_at_any_byte_reads_the_same():
    data = wire(*FULL)
    for cut in range(1, len(data)):
        assert list(claude().decode(sse.decode([data[:cut], data[cut:]]), chat())) == CHUNKS


@given(st.lists(st.integers(0, len(wire(*FULL))), max_size=8))
def test_a_stream_in_any_pieces_reads_the_same(cuts):
    data = wire(*FULL)
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges) if start < end]
    assert list(claude().decode(sse.decode(pieces), chat())) == CHUNKS


def test_two_answers_through_one_provider_do_not_mix():
    provider, other = claude(), (started(input_tokens=1), *HELLO, ended(), STOP)
    first, second = provider.decode(iter(FULL), chat()), provider.decode(iter(other), chat())
    mixed = [[], []]
    for turn in range(40):
        chunk = next((first, second)[turn % 2], None)
        if chunk is not None:
            mixed[turn % 2].append(chunk)
    assert mixed == [CHUNKS, decoded(*other)]


def test_a_block_may_come_whole_in_its_start():
    assert decoded(
        opened(0, "thinking", thinking="hm", signature="sig"),
        closed(0),
        opened(1, "redacted_thinking", data="blob"),
        closed(1),
        opened(2, "text", text="Hi"),
        closed(2),
        opened(3, "tool_use", id="t", name="f", input={"a": 1.0}),
        delta(3, "input_json_delta", partial_json='{"a":1.0}'),
        closed(3),
        ended(),
        STOP,
    ) == [
        ReasoningDelta("hm"),
        Signature("sig"),
        Signature("blob", redacted=True),
        TextDelta("Hi"),
        ToolCallDelta(0, "t", "f", '{"a":1.0}'),
        Finished("stop"),
    ]


def test_thinking_that_is_not_shown_still_has_its_signature():
    events = (opened(0, "thinking", thinking="", signature=""), delta(0, "signature_delta", signature="s"), closed(0))
    assert decoded(*events, *HELLO, ended(), STOP)[:2] == [Signature("s"), TextDelta("Hi")]


def test_a_whole_message_is_an_answer_like_any_other():
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "text", "text": "Hi"},
        {"type": "web_search_tool_result", "content": []},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]
    usage = {"input_tokens": 3, "output_tokens": 9}
    message = {"type": "message", "content": content, "stop_reason": "stop_sequence", "stop_sequence": "END"}
    for whole in (
        Event(dumps({**message, "usage": usage}), "body"),
        Event(b"\n\n" + dumps({**message, "usage": usage})),
    ):
        assert decoded(whole) == [
            Started(Usage(uncached=3)),
            ReasoningDelta("hm"),
            Signature("sig"),
            Signature("blob", redacted=True),
            TextDelta("Hi"),
            ToolCallDelta(0, "t1", "f", '{"a":1}'),
            ToolCallDelta(1, "t2", "g", "{}"),
            Finished("stop", Usage(uncached=3, output=9), "END"),
        ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("compaction", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_are_mapped_to_the_legal_ones(word, reason):
    assert decoded(*HELLO, ended(word), STOP)[-1] == Finished(reason)


def test_the_stop_word_that_ended_the_answer_is_told():
    assert decoded(*HELLO, ended("stop_sequence", "END"), STOP)[-1] == Finished("stop", stop_sequence="END")


def test_a_later_event_of_the_end_may_say_more():
    assert decoded(*HELLO, ended("max_tokens", output_tokens=1), ended(None, output_tokens=7), STOP)[-1] == Finished(
        "length", Usage(output=7)
    )


@pytest.mark.parametrize(
    "rest",
    [
        (),
        (Event(b"[DONE]"),),
        (SILENCE, delta(0, "text_delta", text="never")),
        (event("error", error={"type": "api_error", "message": "late"}),),
    ],
)
def test_an_answer_with_a_stop_reason_is_whole_whatever_follows(rest):
    assert decoded(*HELLO, ended(), *rest) == [TextDelta("Hi"), Finished("stop")]


def test_a_connection_that_fails_counts_as_the_end_only_after_the_stop_reason():
    assert list(claude().decode(broken_off(*HELLO, ended()), chat()))[-1] == Finished("stop")
    with pytest.raises(UpstreamTimeout):
        list(claude().decode(broken_off(*HELLO, error=UpstreamTimeout), chat()))


def test_nothing_is_read_beyond_the_end():
    def events():
        yield from (*HELLO, ended(), STOP)
        raise AssertionError("read on")

    assert list(claude().decode(events(), chat()))[-1] == Finished("stop")


@pytest.mark.parametrize("rest", [(STOP,), (Event(b"[DONE]"),)])
def test_an_end_without_a_reason_is_one_if_there_was_an_answer(rest):
    assert decoded(*HELLO, *rest)[-1] == Finished("stop")
    assert decoded(opened(0, "tool_use", id="t", name="f", input={}), *rest)[-1] == Finished("tool_calls")
    with pytest.raises(UpstreamBroken):
        decoded(started(input_tokens=1), *rest)


@pytest.mark.parametrize("events", [(), (started(input_tokens=1),), HELLO, (Event(b"<html>"),), (Event(b"[1"),)])
def test_an_answer_that_never_ends_is_broken(events):
    with pytest.raises(UpstreamBroken):
        decoded(*events)


@pytest.mark.parametrize("name", ["error", None])
def test_an_error_in_the_middle_is_raised_as_what_it_means(name):
    failed = Event(dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), name)
    with pytest.raises(UpstreamOverloaded) as caught:
        decoded(*HELLO, failed)
    assert caught.value.message == "Overloaded"


@pytest.mark.parametrize(
    ("whole", "kind"),
    [
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
            ContextLengthExceeded,
        ),
        ({"code": 500, "msg": "busy", "success": False}, UpstreamServerError),
        ({}, UpstreamBroken),
        ([], UpstreamBroken),
    ],
)
def test_a_whole_body_that_is_no_message_is_an_error(whole, kind):
    with pytest.raises(kind):
        decoded(Event(dumps(whole), "body"))


def test_an_error_event_that_is_no_json_is_an_error_too():
    with pytest.raises(UpstreamServerError, match="it broke"):
        decoded(Event(b"it broke", "error"))


def test_silence_keeps_the_client_waiting_while_the_answer_goes_on():
    assert decoded(SILENCE, *HELLO, SILENCE, ended(), STOP)[:3] == [KeepAlive(), TextDelta("Hi"), KeepAlive()]


def test_the_start_comes_once_and_first():
    twice = decoded(started(input_tokens=1), started(input_tokens=1), *HELLO, ended(), STOP)
    assert [isinstance(chunk, Started) for chunk in twice] == [True, False, False]
    assert decoded(*HELLO, started(input_tokens=1), ended(), STOP) == [TextDelta("Hi"), Finished("stop", Usage(1))]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"7",
        b'{"type":[]}',
        b'{"type":"content_block_delta"}',
        b'{"type":"content_block_delta","index":{},"delta":{"type":"input_json_delta","partial_json":"x"}}',
        b'{"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"x"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":null}}',
        b'{"type":"content_block_start","content_block":[]}',
        b'{"type":"content_block_stop","index":[]}',
        b'{"type":"message_start","message":"x"}',
        b'{"type":"message_delta","delta":7,"usage":[]}',
        b'{"type":"something_new","index":0}',
    ],
)
def test_what_is_malformed_or_unknown_says_nothing(data):
    chunks = decoded(*HELLO, Event(data), ended(), STOP)
    assert [chunk for chunk in chunks if not isinstance(chunk, Started)] == [TextDelta("Hi"), Finished("stop")]
