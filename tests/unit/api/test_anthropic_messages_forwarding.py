"""The stream of a provider that speaks Anthropic's dialect, which goes on as it came."""

from typing import Any

import pytest

from core import sse
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
from tests.unit.api.anthropic_messages_kit import events, folded, frames, raw

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
USAGE = Usage(uncached=5, output=9)
MESSAGE = {"id": "msg_own", "content": [], "model": "claude-x", "role": "assistant", "stop_reason": None, "usage": {}}
START = raw({"message": MESSAGE, "type": "message_start"})
STOP = raw({"type": "message_stop"})
END = raw({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}})


def begins(index: int, kind: str, **fields: Any) -> Passed:
    return Passed(raw({"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}))


def delta(index: int, kind: str, **fields: Any) -> RawEvent:
    return raw({"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}})


def stops(index: int) -> Passed:
    return Passed(raw({"type": "content_block_stop", "index": index}))


THOUGHT: list[ChatChunk] = [
    begins(0, "thinking", thinking="", signature=""),
    ReasoningDelta("hm", raw=delta(0, "thinking_delta", thinking="hm")),
    Signature("sig", raw=delta(0, "signature_delta", signature="sig")),
    stops(0),
]
CALLED: list[ChatChunk] = [
    ToolCallDelta(0, "t1", "f", raw=begins(1, "tool_use", id="t1", name="f", input={}).raw),
    ToolCallDelta(0, arguments="", raw=delta(1, "input_json_delta", partial_json="")),
    ToolCallDelta(0, arguments='{"a": 1}', raw=delta(1, "input_json_delta", partial_json='{"a": 1}')),
    stops(1),
]
WHOLE: list[ChatChunk] = [
    Started(USAGE, raw=START),
    *THOUGHT,
    Passed(raw({"type": "ping"})),
    *CALLED,
    Finished("tool_calls", USAGE, raw=(END, STOP)),
]


def sent_by(chunks: list[ChatChunk]) -> list[RawEvent]:
    found: list[RawEvent] = []
    for chunk in chunks:
        if isinstance(chunk, Finished):
            found += chunk.raw
        elif not isinstance(chunk, KeepAlive) and chunk.raw is not None:
            found.append(chunk.raw)
    return found


def test_every_event_goes_on_as_it_came_but_for_the_models_name() -> None:
    first, *others = b"".join(frames(WHOLE)).split(b"\n\n")
    assert others[:-1] == [
        b"event: " + event.value["type"].encode() + b"\ndata: " + event.data for event in sent_by(WHOLE)[1:]
    ]
    renamed = {"message": {**MESSAGE, "model": 'glm-"4.6"'}, "type": "message_start"}
    assert first == b"event: message_start\ndata: " + dumps(renamed)


def test_a_beginning_with_the_right_name_is_not_rewritten() -> None:
    assert frames(WHOLE, model="claude-x")[0] == b"event: message_start\ndata: " + START.data + b"\n\n"


def test_a_prompt_that_the_provider_counts_at_the_end_only_is_estimated_at_the_beginning() -> None:
    zeros = {**MESSAGE, "usage": {"input_tokens": 0, "output_tokens": 0, "service_tier": "standard"}}
    start = raw({"type": "message_start", "message": zeros})
    estimate = {"input_tokens": 7, "output_tokens": 0, "service_tier": "standard"}
    for model in ("claude-x", "other"):
        told = events(frames([Started(Usage(uncached=7, source="estimated"), raw=start), WHOLE[-1]], model=model))
        assert told[0]["message"] == {**MESSAGE, "model": model, "usage": estimate}


def test_nothing_is_hidden_of_what_the_provider_shows() -> None:
    content = folded(frames(WHOLE, thinking={"type": "disabled"}))["content"]
    assert content == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    ]


def test_an_event_without_a_name_gets_that_of_its_type() -> None:
    chunks = [
        Started(raw=RawEvent(START.data, None, START.value)),
        Finished("stop", raw=(RawEvent(END.data, None, END.value), STOP)),
    ]
    assert [event["type"] for event in events(frames(chunks))] == ["message_start", "message_delta", "message_stop"]


def test_a_part_of_an_event_is_written_anew() -> None:
    part = delta(0, "text_delta", text="世")
    part.data = b""
    sent = frames(
        [Started(raw=START), begins(0, "text", text=""), TextDelta("世", raw=part), stops(0), Finished("stop")]
    )
    assert sent[2] == b"event: content_block_delta\ndata: " + dumps(part.value) + b"\n\n"


def test_data_of_several_lines_stays_one_event() -> None:
    spread = RawEvent(b'{"type":\n"ping"}', "ping", {"type": "ping"})
    (event,) = sse.decode([frames([Started(raw=START), Passed(spread), Finished("stop")])[1]])
    assert loads(event.data) == {"type": "ping"}


def test_signs_of_life_stand_between_forwarded_events() -> None:
    sent = frames([KeepAlive(), WHOLE[0], KeepAlive(), *THOUGHT[:2], KeepAlive(), *THOUGHT[2:], WHOLE[-1]])
    assert [sent[0], sent[2], sent[5]] == [sse.KEEP_ALIVE, PING, PING]
    assert folded(sent)["stop_reason"] == "end_turn"


def test_a_beginning_of_ours_gives_way_to_the_providers() -> None:
    sent = frames([Started(Usage(uncached=9)), *WHOLE])
    assert [event["message"]["id"] for event in events(sent) if event["type"] == "message_start"] == ["msg_own"]


def test_a_second_beginning_is_left_out() -> None:
    sent = frames([TextDelta("a"), Started(raw=START), Finished("stop")])
    assert folded(sent)["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ([], []),
        (THOUGHT, [{"type": "thinking", "thinking": "hm", "signature": "sig"}]),
        (THOUGHT[:3], [{"type": "thinking", "thinking": "hm", "signature": "sig"}]),
        (THOUGHT[:2], [{"type": "thinking", "thinking": "hm", "signature": UNSIGNED}]),
        (
            [begins(0, "text", text=""), TextDelta("a", raw=delta(0, "text_delta", text="a"))],
            [{"type": "text", "text": "a"}],
        ),
        (
            [*THOUGHT, *CALLED[:3]],
            [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ],
        ),
    ],
)
def test_an_answer_that_is_ended_here_ends_well(said: list[ChatChunk], content: list[dict[str, Any]]) -> None:
    message = folded(frames([WHOLE[0], *said, Finished("stop", USAGE, stop_sequence="END")]))
    assert message["content"] == content
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")
    assert message["usage"]["output_tokens"] == 9


def test_an_end_without_its_last_event_gets_one() -> None:
    assert frames([WHOLE[0], Finished("stop", USAGE, raw=(END,))])[-1].endswith(b'data: {"type":"message_stop"}\n\n')


def test_a_piece_that_was_changed_goes_into_the_block_that_is_open() -> None:
    chunks = [WHOLE[0], begins(0, "text", text=""), TextDelta("[removed]"), stops(0), *CALLED, WHOLE[-1]]
    assert folded(frames(chunks))["content"] == [
        {"type": "text", "text": "[removed]"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    ]


def test_a_call_that_was_begun_here_goes_on_with_what_is_forwarded() -> None:
    chunks = [WHOLE[0], *THOUGHT, ToolCallDelta(0, "made_up", "f"), *CALLED[1:], WHOLE[-1]]
    assert folded(frames(chunks))["content"][1] == {"type": "tool_use", "id": "made_up", "name": "f", "input": {"a": 1}}
    chunks = [WHOLE[0], *THOUGHT, CALLED[0], ToolCallDelta(0, arguments='{"a": 1}'), stops(1), WHOLE[-1]]
    assert folded(frames(chunks))["content"][1] == {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "content_block_start"},
        {"type": "content_block_start", "index": "x", "content_block": 5},
        {"type": "content_block_delta", "delta": 5},
        {"type": "content_block_stop"},
        {"type": "message_start", "message": 5},
        {"type": "something_new", "index": None},
        {},
    ],
)
def test_an_event_that_is_odd_goes_on_without_harm(value: dict[str, Any]) -> None:
    odd = raw(value, "odd")
    sent = frames([Passed(odd), Finished("stop", USAGE)])
    assert b"event: odd\ndata: " + odd.data + b"\n\n" in sent
    assert sent[-1].endswith(b'data: {"type":"message_stop"}\n\n')
