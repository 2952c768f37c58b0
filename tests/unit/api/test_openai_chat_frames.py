"""A streamed answer as OpenAI's `chat.completion.chunk` events."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from api.dialects.openai_chat import OpenAIChat
from core.errors import UpstreamBroken, UpstreamRateLimited
from schemas.codec import loads
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage
from tests.unit.api.reply_kit import reply_to

USAGE = Usage(uncached=5, read=4, output=7)
CALLS = (
    ToolCallDelta(0, "call_a", "f", ""),
    ToolCallDelta(0, arguments='{"a":'),
    ToolCallDelta(1, "call_b", "g", "{}"),
    ToolCallDelta(0, arguments="1}"),
)


def frames(*chunks: ChatChunk, **fields: Any) -> list[bytes]:
    return list(OpenAIChat().frames(chunks, reply_to(stream=True, **fields)))


def events(*chunks: ChatChunk, **fields: Any) -> list[dict[str, Any]]:
    """The parsed events without comments and `[DONE]`, each checked to be what the SDK takes."""
    pieces = b"".join(frames(*chunks, **fields)).split(b"\n\n")
    assert pieces[-2:] == [b"data: [DONE]", b""]
    bodies = [loads(piece.removeprefix(b"data: ")) for piece in pieces[:-2] if not piece.startswith(b":")]
    for body in bodies:
        ChatCompletionChunk.model_validate(body, strict=True)
    return bodies


def deltas(*chunks: ChatChunk, **fields: Any) -> list[dict[str, Any]]:
    return [choice["delta"] for event in events(*chunks, **fields) for choice in event["choices"]]


def test_a_text_is_a_role_its_pieces_and_a_reason() -> None:
    body = events(TextDelta("Hi "), TextDelta('"世界"\n'), Finished("stop"))
    begin = {"role": "assistant", "content": "", "refusal": None}
    assert [event["choices"] for event in body] == [
        [{"index": 0, "delta": begin, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {"content": "Hi "}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {"content": '"世界"\n'}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
    ]  # fmt: skip
    heads = [{name: value for name, value in event.items() if name != "choices"} for event in body]
    assert (
        heads
        == [{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_200_000, "model": 'glm-"4.6"'}] * 4
    )


@pytest.mark.parametrize("first", [TextDelta("x"), ReasoningDelta("x"), ToolCallDelta(0, "c", "f", "{}"), None])
def test_the_role_comes_once_and_first_whatever_begins(first: ChatChunk | None) -> None:
    begin = [first] if first is not None else []
    roles = [delta.get("role") for delta in deltas(KeepAlive(), *begin, TextDelta("y"), Finished("stop"))]
    assert roles == ["assistant"] + [None] * (len(roles) - 1)
    assert deltas(*begin, Finished("length"))[0]["role"] == "assistant"


def test_every_chunk_is_one_write() -> None:
    assert len(frames(TextDelta("a"), TextDelta("b"), KeepAlive(), Finished("stop", USAGE))) == 4


def test_nothing_is_waited_for_before_a_piece_is_sent() -> None:
    def chunks() -> Iterator[ChatChunk]:
        yield TextDelta("a")
        raise AssertionError("asked for more than was needed")

    assert b'"a"' in next(OpenAIChat().frames(chunks(), reply_to(stream=True)))


def test_usage_comes_last_in_an_event_of_its_own_when_asked_for() -> None:
    body = events(TextDelta("a"), Finished("stop", USAGE), stream_options={"include_usage": True})
    assert [event["usage"] for event in body[:-1]] == [None] * 3
    assert body[-1]["choices"] == []
    assert body[-1]["usage"]["total_tokens"] == 16
    assert body[-1]["id"] == body[0]["id"]


def test_usage_is_not_shown_unasked_nor_made_up() -> None:
    assert all("usage" not in event for event in events(TextDelta("a"), Finished("stop", USAGE)))
    body = events(TextDelta("a"), Finished("stop"), stream_options={"include_usage": True})
    assert all(event["usage"] is None and event["choices"] for event in body)


def test_a_keep_alive_is_a_comment() -> None:
    assert frames(KeepAlive(), TextDelta("a"), Finished("stop"))[0] == b": keep-alive\n\n"


def test_calls_keep_index_id_and_name_and_their_arguments_whole() -> None:
    parts = [delta["tool_calls"][0] for delta in deltas(*CALLS, Finished("tool_calls")) if "tool_calls" in delta]
    assert parts == [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 1, "id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": "1}"}},
    ]


def test_a_client_of_old_gets_one_function_call_as_in_a_whole_answer() -> None:
    body = events(*CALLS, Finished("tool_calls"), functions=[{"name": "f"}])
    calls = [c["delta"]["function_call"] for event in body for c in event["choices"] if "function_call" in c["delta"]]
    assert [call.get("name") for call in calls] == ["f", None, None]
    assert "".join(call["arguments"] for call in calls) == '{"a":1}'
    assert body[-1]["choices"][0]["finish_reason"] == "function_call"
    assert b"tool_calls" not in b"".join(frames(*CALLS, Finished("tool_calls"), functions=[{"name": "f"}]))


def test_shown_reasoning_has_its_own_field() -> None:
    assert deltas(ReasoningDelta("hm"), Finished("stop"))[1] == {"reasoning_content": "hm"}


def test_hidden_reasoning_is_not_sent() -> None:
    assert b"secret" not in b"".join(frames(ReasoningDelta("secret", hidden=True), TextDelta("a"), Finished("stop")))


def test_a_fault_in_the_middle_is_passed_on() -> None:
    def chunks() -> Iterator[ChatChunk]:
        yield TextDelta("a")
        raise UpstreamBroken("cut off")

    stream = OpenAIChat().frames(chunks(), reply_to(stream=True))
    next(stream)
    with pytest.raises(UpstreamBroken):
        next(stream)


def test_two_streams_do_not_mix() -> None:
    left = OpenAIChat().frames([TextDelta("l1"), TextDelta("l2"), Finished("stop")], reply_to(stream=True))
    right = OpenAIChat().frames([TextDelta("r1"), Finished("length")], reply_to(stream=True, functions=[{"name": "f"}]))
    mixed = [next(left), next(right), next(left), next(right), next(left)]
    words = [[word for word in (b"l1", b"r1", b"l2", b"length", b'"stop"') if word in frame] for frame in mixed]
    assert words == [[b"l1"], [b"r1"], [b"l2"], [b"length"], [b'"stop"']]


def test_an_error_event_is_one_data_line_with_an_error_on_top() -> None:
    error = UpstreamRateLimited("Too\nfast", details={"window": "minute"})
    frame = OpenAIChat().error_frame(error, "req-1")
    assert frame.startswith(b"data: {")
    assert frame.endswith(b"}\n\n")
    assert frame.count(b"\n") == 2
    body = loads(frame.removeprefix(b"data: "))
    assert body.pop("timestamp").endswith("+00:00")
    assert body == {
        "error": {
            "message": "Too\nfast",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
            "details": {"window": "minute"},
        },
        "request_id": "req-1",
    }
    assert loads(OpenAIChat().error(error, "req-1"))["error"] == body["error"]
