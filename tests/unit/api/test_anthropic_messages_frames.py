"""The answer of a provider of another dialect as Anthropic's events."""

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.anthropic_messages import AnthropicMessages
from core.errors import UpstreamBroken
from core.pipeline.collect import collect
from core.sse import KEEP_ALIVE
from schemas.chat import UNSIGNED
from schemas.codec import dumps, loads
from schemas.stream import (
    ChatChunk,
    Finished,
    KeepAlive,
    Passed,
    RawEvent,
    ReasoningDelta,
    Signature,
    Started,
    TextDelta,
    ToolCallDelta,
)
from schemas.usage import Usage
from tests.unit.api.anthropic_messages_kit import OMIT, THINK, events, folded, frames, reply_to

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
USAGE = Usage(uncached=5, read=40, output=9, reasoning=2)
TOLD = """event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"glm-\\"4.6\\"",\
"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":7,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\"世界\\"\\n"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":5,\
"cache_read_input_tokens":40,"output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}}

event: message_stop
data: {"type":"message_stop"}

"""


def blocks(*chunks: ChatChunk, **fields: Any) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = folded(frames([*chunks, Finished("stop", USAGE)], **fields))["content"]
    return content


def thinking(text: str, signature: str = UNSIGNED) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_a_text_is_told_to_the_letter() -> None:
    sent = frames([Started(Usage(uncached=7)), TextDelta("Hi "), TextDelta('"世界"\n'), Finished("stop", USAGE)])
    assert b"".join(sent) == TOLD.encode()
    assert len(sent) == 3


def test_the_end_tells_why_and_what_it_took() -> None:
    message = folded(frames([TextDelta("a"), Finished("stop", USAGE, stop_sequence="END")]))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")
    assert message["usage"]["output_tokens"] == 9
    message = folded(frames([Started(Usage(uncached=7)), TextDelta("a"), Finished("length")]))
    assert (message["stop_reason"], message["usage"]) == ("max_tokens", {"input_tokens": 7, "output_tokens": 0})


def test_an_answer_without_a_word_is_still_a_message() -> None:
    assert folded(frames([Finished("stop", USAGE)]))["content"] == []
    assert folded(frames([Started(), KeepAlive(), Finished("content_filter")]))["stop_reason"] == "refusal"


def test_signs_of_life_are_comments_until_the_message_begins_and_pings_after() -> None:
    sent = frames([KeepAlive(), Started(), KeepAlive(), TextDelta("a"), KeepAlive(), KeepAlive(), Finished("stop")])
    assert sent[:2] == [KEEP_ALIVE] * 2
    assert sent[3:5] == [PING] * 2
    assert folded(sent)["content"] == [text("a")]


def test_nothing_is_waited_for_before_a_piece_is_sent() -> None:
    def chunks() -> Iterator[ChatChunk]:
        yield TextDelta("a")
        raise AssertionError("asked for more than was needed")

    assert b'"a"' in next(AnthropicMessages().frames(chunks(), reply_to()))


def test_thinking_ends_with_one_signature() -> None:
    chunks = [ReasoningDelta("h"), ReasoningDelta("m"), Signature("s1"), Signature("s2"), ReasoningDelta("x")]
    assert blocks(*chunks, TextDelta("a"), **THINK) == [
        thinking("hm", "s1"),
        thinking("", "s2"),
        thinking("x"),
        text("a"),
    ]


def test_redacted_thinking_is_a_whole_block() -> None:
    redacted = {"type": "redacted_thinking", "data": "secret"}
    chunks = [ReasoningDelta("hm"), Signature("secret", redacted=True), TextDelta("a")]
    assert blocks(*chunks, **THINK) == [thinking("hm"), redacted, text("a")]
    assert blocks(*chunks, **OMIT) == [thinking(""), redacted, text("a")]


def test_omitted_thinking_has_no_deltas_but_its_signature() -> None:
    sent = frames([ReasoningDelta("hidden"), ReasoningDelta("x"), Signature("s"), Finished("stop")], **OMIT)
    assert b"hidden" not in b"".join(sent)
    assert [event["type"] for event in events(sent)[1:4]] == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ]
    assert folded(sent)["content"] == [thinking("", "s")]


@pytest.mark.parametrize("fields", [{}, {"thinking": {"type": "disabled"}}])
def test_thinking_that_nobody_asked_for_neither_shows_nor_parts_the_text(fields: dict[str, Any]) -> None:
    chunks = [ReasoningDelta("hm"), TextDelta("a"), Signature("s"), Signature("r", redacted=True), TextDelta("b")]
    assert blocks(*chunks, **fields) == [text("ab")]


def test_thinking_that_is_hidden_from_everybody_is_not_shown() -> None:
    assert blocks(ReasoningDelta("hm", hidden=True), TextDelta("a"), **THINK) == [text("a")]


def test_a_call_begins_with_no_input_and_gets_it_in_pieces() -> None:
    sent = frames([ToolCallDelta(0, "t1", "f", ""), ToolCallDelta(0, arguments='{"a":'),
                   ToolCallDelta(0, arguments="1}"), Finished("tool_calls", USAGE)])  # fmt: skip
    told = events(sent)[1:]
    assert told[0]["content_block"] == {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    assert [event["delta"]["partial_json"] for event in told[1:3]] == ['{"a":', "1}"]
    assert folded(sent)["stop_reason"] == "tool_use"


def test_pieces_of_several_calls_do_not_interleave() -> None:
    chunks = [
        ToolCallDelta(0, "a", "f", ""),
        ToolCallDelta(1, "b", "g", '{"x":'),
        ToolCallDelta(0, arguments='{"y":'),
        TextDelta("meanwhile"),
        ToolCallDelta(1, arguments="1}"),
        ToolCallDelta(0, arguments="2}"),
    ]
    assert blocks(*chunks) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"y": 2}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"x": 1}},
        text("meanwhile"),
    ]


def test_a_whole_answer_in_one_event_is_told_as_a_stream() -> None:
    whole = RawEvent(b"{}", "body", {})
    chunks = [Passed(whole), TextDelta("a", raw=whole), Finished("stop", USAGE, raw=(whole,))]
    assert folded(frames(chunks))["content"] == [text("a")]


def test_a_fault_in_the_middle_is_passed_on() -> None:
    def chunks() -> Iterator[ChatChunk]:
        yield TextDelta("a")
        raise UpstreamBroken("cut off")

    stream = AnthropicMessages().frames(chunks(), reply_to())
    next(stream)
    with pytest.raises(UpstreamBroken):
        next(stream)


def test_nothing_is_read_after_the_end() -> None:
    rest = iter([Finished("stop"), TextDelta("late")])
    list(AnthropicMessages().frames(rest, reply_to()))
    assert next(rest) == TextDelta("late")


def test_two_streams_do_not_mix() -> None:
    dialect = AnthropicMessages()
    calls = [ToolCallDelta(0, "t1", "f", '{"l":'), ToolCallDelta(0, arguments="1}"), Finished("tool_calls")]
    left = dialect.frames(calls, reply_to())
    right = dialect.frames([ReasoningDelta("hm"), TextDelta("r"), Finished("stop")], reply_to(**THINK))
    mixed = list(chain.from_iterable(zip(left, right, strict=True)))
    assert folded(mixed[::2])["content"] == [{"type": "tool_use", "id": "t1", "name": "f", "input": {"l": 1}}]
    assert folded(mixed[1::2])["content"] == [thinking("hm"), text("r")]


def cut(words: str, places: list[int]) -> list[str]:
    edges = [0, *sorted({place % (len(words) + 1) for place in places}), len(words)]
    return [words[start:end] for start, end in pairwise(edges) if start < end]


WORDS = st.text(min_size=1, max_size=6)
PLACES = st.lists(st.integers(0, 50), max_size=3)
PIECES = st.builds(cut, WORDS, PLACES)
THOUGHTS = st.lists(
    st.builds(
        lambda pieces, signature, redacted: [
            *map(ReasoningDelta, [] if redacted else pieces),
            *([Signature(signature, redacted=redacted)] if signature or redacted else []),
        ],
        PIECES, st.sampled_from(["s1", "s2"]) | st.just(""), st.booleans(),
    ),
    max_size=3,
).map(lambda groups: list(chain.from_iterable(groups)))  # fmt: skip
TEXTS = PIECES.map(lambda pieces: [TextDelta(piece) for piece in pieces]) | st.just([])
ARGUMENTS = st.dictionaries(WORDS, st.integers() | WORDS | st.lists(WORDS, max_size=2), max_size=3).map(
    lambda value: dumps(value).decode()
)


@st.composite
def tool_calls(draw: st.DrawFn) -> list[ChatChunk]:
    """Several calls whose pieces come mixed, each call's own in their order, and first pieces in theirs."""
    calls: list[list[ChatChunk]] = []
    for index in range(draw(st.integers(0, 3))):
        pieces = cut(draw(ARGUMENTS), draw(PLACES)) if draw(st.booleans()) else []
        later = [ToolCallDelta(index, arguments=piece) for piece in pieces]
        calls.append([ToolCallDelta(index, f"t{index}", "f"), *later])
    mixed: list[ChatChunk] = []
    begun = 0
    while any(calls):
        ready = [i for i, pieces in enumerate(calls) if pieces and i <= begun]
        chosen = draw(st.sampled_from(ready))
        begun = max(begun, chosen + 1)
        mixed.append(calls[chosen].pop(0))
    return mixed


@given(THOUGHTS, TEXTS, tool_calls(), st.sampled_from([{}, THINK, OMIT]))
def test_a_streamed_answer_is_the_whole_one(
    thoughts: list[ChatChunk], texts: list[ChatChunk], calls: list[ChatChunk], fields: dict[str, Any]
) -> None:
    chunks = [Started(USAGE), *thoughts, *texts, *calls, Finished("stop", USAGE)]
    whole = loads(AnthropicMessages().render(collect(chunks), reply_to(**fields)))
    assert folded(frames(chunks, **fields)) == whole


@given(st.lists(THOUGHTS | TEXTS | st.just([KeepAlive()]), max_size=6), tool_calls(), st.data())
def test_whatever_the_order_nothing_is_lost_and_every_event_is_in_its_place(
    groups: list[list[ChatChunk]], calls: list[ChatChunk], data: st.DataObject
) -> None:
    chunks: list[ChatChunk] = list(chain.from_iterable(groups))
    places = sorted(data.draw(st.integers(0, len(chunks))) for _ in calls)
    for place, piece in reversed(list(zip(places, calls, strict=True))):
        chunks.insert(place, piece)
    chunks.append(Finished("stop", USAGE))
    answer, content = collect(chunks), folded(frames(chunks, **THINK))["content"]

    def said(kind: str, field: str) -> list[Any]:
        return [block[field] for block in content if block["type"] == kind]

    assert "".join(said("text", "text")) == answer.text
    assert "".join(said("thinking", "thinking")) == answer.reasoning
    assert said("redacted_thinking", "data") == [block.data for block in answer.thinking if block.data is not None]
    assert sorted(said("tool_use", "id")) == [call.id for call in answer.tool_calls]
    given_inputs = {call.id: loads(call.arguments or "{}") for call in answer.tool_calls}
    assert {block["id"]: block["input"] for block in content if block["type"] == "tool_use"} == given_inputs
