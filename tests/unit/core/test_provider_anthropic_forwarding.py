"""Which event each chunk carries when the client speaks Anthropic's dialect too."""

from dataclasses import replace

from core import sse
from core.sse import Event
from schemas.codec import dumps, loads
from schemas.stream import Finished, KeepAlive, Passed, ReasoningDelta, Signature, Started, TextDelta, ToolCallDelta
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
    native,
    opened,
    started,
    wire,
)

OWN = native(b"{}")
FULL = (
    started(input_tokens=1),
    opened(0, "thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="hm"),
    delta(0, "signature_delta", signature="sig"),
    closed(0),
    event("ping"),
    opened(1, "redacted_thinking", data="blob"),
    closed(1),
    opened(2, "text", text=""),
    delta(2, "text_delta", text="Hi"),
    delta(2, "citations_delta", citation={}),
    closed(2),
    opened(3, "server_tool_use", id="s", name="web_search", input={}),
    delta(3, "input_json_delta", partial_json="{}"),
    closed(3),
    opened(4, "web_search_tool_result", content=[]),
    closed(4),
    opened(5, "tool_use", id="t", name="f", input={}),
    delta(5, "input_json_delta", partial_json=""),
    delta(5, "input_json_delta", partial_json='{"a":1}'),
    closed(5),
    event("something_new", x=1),
    ended("tool_use", output_tokens=5),
    ended(None, output_tokens=6),
    STOP,
)


def carried(chunks):
    """The events of all chunks in order, as they would be sent on."""
    raws = []
    for chunk in chunks:
        if isinstance(chunk, Finished):
            raws += chunk.raw
        elif not isinstance(chunk, KeepAlive):
            raws.append(chunk.raw)
    return [(raw.name, raw.data) for raw in raws]


def without_pings(events):
    return [(one.name, one.data) for one in events if one.name != "ping"]


def test_the_events_of_a_stream_are_all_carried_once_and_in_order():
    assert carried(decoded(*FULL, request=OWN)) == without_pings(FULL)


def test_a_stream_cut_at_any_byte_carries_the_same():
    data = wire(*FULL)
    for cut in range(1, len(data)):
        chunks = claude().decode(sse.decode([data[:cut], data[cut:]]), OWN)
        assert carried(chunks) == without_pings(FULL)


def test_each_event_is_carried_by_what_it_says():
    kinds = [type(chunk) for chunk in decoded(*FULL, request=OWN)]
    assert kinds == [
        Started,
        *(Passed, ReasoningDelta, Signature, Passed, KeepAlive),
        *(Signature, Passed),
        *(Passed, TextDelta, Passed, Passed),
        *(Passed, Passed, Passed),
        *(Passed, Passed),
        *(ToolCallDelta, Passed, ToolCallDelta, Passed),
        *(Passed, Finished),
    ]


def test_the_start_of_a_block_shows_that_the_answer_begins():
    chunks = decoded(*FULL, request=OWN)
    begins = [loads(chunk.raw.data)["type"] for chunk in chunks if isinstance(chunk, Passed) and chunk.begins]
    assert begins == ["content_block_start"] * 4


def test_the_parsed_event_comes_along():
    [text] = [chunk for chunk in decoded(*FULL, request=OWN) if isinstance(chunk, TextDelta)]
    assert text.raw.value["delta"] == {"type": "text_delta", "text": "Hi"}


def test_the_end_carries_the_events_that_told_it():
    end = decoded(*FULL, request=OWN)[-1]
    assert (end.reason, end.usage) == ("tool_calls", Usage(uncached=1, output=6))
    assert [raw.name for raw in end.raw] == ["message_delta", "message_delta", "message_stop"]


def test_an_event_that_says_two_things_is_carried_in_two_parts():
    thinking, signature = decoded(opened(7, "thinking", thinking="hm", signature="sig"), ended(), STOP, request=OWN)[:2]
    assert thinking.raw.value == {
        "type": "content_block_start",
        "index": 7,
        "content_block": {"type": "thinking", "thinking": "hm", "signature": ""},
    }
    assert (signature.raw.name, signature.raw.value) == (
        "content_block_delta",
        {"type": "content_block_delta", "index": 7, "delta": {"type": "signature_delta", "signature": "sig"}},
    )
    assert thinking.raw.data == signature.raw.data == b""


def test_a_whole_message_is_carried_by_every_chunk():
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "Hi"},
        {"type": "web_search_tool_result", "content": []},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    message = {"type": "message", "content": content, "stop_reason": "tool_use", "usage": {"output_tokens": 2}}
    data = dumps(message) + b"\n"
    chunks = decoded(Event(data, "body"), request=OWN)
    assert [type(chunk) for chunk in chunks] == [Started, ReasoningDelta, Signature, TextDelta, ToolCallDelta, Finished]
    raws = [chunk.raw for chunk in chunks[:-1]]
    assert all(raw is raws[0] for raw in raws)
    assert chunks[-1].raw == (raws[0],)
    assert (raws[0].name, raws[0].data, raws[0].value) == ("body", data, message)


def test_nothing_is_carried_to_a_client_of_another_dialect():
    chunks = decoded(*FULL, request=chat())
    assert not any(isinstance(chunk, Passed) for chunk in chunks)
    assert all(not getattr(chunk, "raw", None) for chunk in chunks)


def test_of_an_answer_that_is_searched_only_what_holds_no_text_is_carried():
    chunks = decoded(*FULL, request=replace(OWN, verbatim=False))
    own = (TextDelta, ReasoningDelta, Signature, ToolCallDelta)
    assert all(chunk.raw is None for chunk in chunks if isinstance(chunk, own))
    passed = [chunk for chunk in chunks if isinstance(chunk, Passed)]
    assert carried(passed) == without_pings([FULL[10], *FULL[12:17], FULL[21]])
    assert [chunk.begins for chunk in passed] == [False, True, False, False, True, False, False]
    assert carried([chunks[0], chunks[-1]]) == without_pings([FULL[0], *FULL[22:]])
