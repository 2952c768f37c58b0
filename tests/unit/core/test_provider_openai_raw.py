"""How the chunks of an OpenAI-form answer carry the events they came from."""

from typing import Any

from core.providers.openai_compatible import OpenAICompatible
from core.sse import Event
from schemas.chat import ChatRequest, Native
from schemas.codec import dumps
from schemas.stream import ChatChunk, Finished, Passed, RawEvent, ReasoningDelta, TextDelta, ToolCallDelta
from tests.fakes import FakeClock

OWN = ChatRequest("m", (), Native("openai_chat", {}), stream=True)
DONE = Event(b"[DONE]")


def decoded(*frames: Any, request: ChatRequest = OWN, name: str | None = None) -> list[ChatChunk]:
    events = [frame if isinstance(frame, Event) else Event(dumps(frame), name) for frame in frames]
    return list(OpenAICompatible("p", "https://host/v1", FakeClock()).decode(events, request))


def frame(finish: str | None = None, /, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "x_more": 1, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def raw_of(chunk: ChatChunk) -> RawEvent:
    assert not isinstance(chunk, Finished)
    raw = getattr(chunk, "raw", None)
    assert isinstance(raw, RawEvent)
    return raw


def test_an_event_that_says_one_thing_goes_with_its_chunk_as_it_came() -> None:
    data = b'{"id":"c", "choices":[{"delta":{"content":"Hi"},"logprobs":{"content":[]}}]}'
    text, end = decoded(Event(data), frame("stop"), DONE)
    assert isinstance(text, TextDelta)
    assert raw_of(text).data == data
    assert isinstance(end, Finished)
    assert [raw.data for raw in end.raw] == [dumps(frame("stop"))]


def test_an_event_without_meaning_here_is_passed_on() -> None:
    first, _text, _end = decoded(frame(role="assistant", content=""), frame(content="Hi"), frame("stop"), DONE)
    assert isinstance(first, Passed)
    assert not first.begins
    assert first.raw.value["choices"][0]["delta"]["role"] == "assistant"


def test_the_end_and_the_usage_wait_for_the_end() -> None:
    usage = {"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    _text, end = decoded(frame(content="Hi"), frame("stop"), usage, DONE)
    assert isinstance(end, Finished)
    assert [raw.value for raw in end.raw] == [frame("stop"), usage]


def test_an_event_that_says_several_things_is_split_without_losing_anything() -> None:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"index": i, "id": f"c{i}", "type": "function", "function": function} for i in (0, 1)]
    both = frame("tool_calls", role="assistant", reasoning_details=[1], reasoning="hm", content="Hi", tool_calls=calls)
    thought, text, one, two, end = decoded(both, DONE)
    assert isinstance(thought, ReasoningDelta)
    assert isinstance(one, ToolCallDelta)
    deltas = [raw_of(chunk).value["choices"][0]["delta"] for chunk in (thought, text, one, two)]
    assert deltas == [
        {"role": "assistant", "reasoning_details": [1], "reasoning": "hm"},
        {"content": "Hi"},
        {"tool_calls": [calls[0]]},
        {"tool_calls": [calls[1]]},
    ]
    assert raw_of(text).value["x_more"] == 1
    assert all(raw_of(chunk).value["choices"][0]["finish_reason"] is None for chunk in (thought, text, one, two))
    assert isinstance(end, Finished)
    assert end.raw[0].value["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "tool_calls"}


def test_a_whole_answer_is_one_event_for_all_it_says() -> None:
    message = {"role": "assistant", "content": "Hi", "annotations": []}
    body = {"id": "c", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
    text, end = decoded(body, name="body")
    assert isinstance(end, Finished)
    assert (raw_of(text),) == end.raw
    assert end.raw[0].value == body


def test_nothing_is_forwarded_that_came_in_another_dialect_or_has_to_be_searched() -> None:
    foreign = ChatRequest("m", (), Native("anthropic_messages", {}))
    searched = ChatRequest("m", (), Native("openai_chat", {}), verbatim=False)
    for request in (foreign, searched):
        chunks = decoded(frame(role="assistant"), frame(content="Hi"), frame("stop"), DONE, request=request)
        assert chunks == [TextDelta("Hi"), Finished("stop")]
