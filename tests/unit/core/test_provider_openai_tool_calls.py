"""What any OpenAI-compatible provider promises of tool calls in the answers it reads."""

from core.providers.openai_compatible import OpenAICompatible
from core.sse import Event
from schemas.chat import (
    ChatRequest,
    Message,
    Native,
    TextPart,
)
from schemas.codec import dumps
from schemas.stream import Finished, ToolCallDelta
from tests.fakes import FakeClock

REQUEST = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("openai", {}))
DONE = Event(b"[DONE]")


def provider():
    return OpenAICompatible("p", "https://host/v1", FakeClock())


def event(**frame):
    return Event(dumps(frame))


def delta(finish=None, **fields):
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


def decoded(*events):
    return list(provider().decode(events, REQUEST))


def calls(*pieces, finish=None):
    return delta(finish, tool_calls=list(pieces))


def piece(arguments=None, name=None, **fields):
    return {**fields, "function": {"name": name, "arguments": arguments}}


def test_parallel_calls_in_interleaved_pieces_keep_index_id_and_name():
    assert decoded(
        calls(piece("", "f", index=0, id="a")),
        calls(piece("", "g", index=1, id="b")),
        calls(piece('{"x"', index=0), piece("{}", index=1)),
        calls(piece(":1}", "f", index=0, id="a"), finish="tool_calls"),
    )[:-1] == [
        ToolCallDelta(0, "a", "f", ""),
        ToolCallDelta(1, "b", "g", ""),
        ToolCallDelta(0, None, None, '{"x"'),
        ToolCallDelta(1, None, None, "{}"),
        ToolCallDelta(0, None, None, ":1}"),
    ]


def test_calls_without_an_index_are_told_apart_by_id():
    assert decoded(calls(piece("1", "f", id="a")), calls(piece("2")), calls(piece("3", "g", id="b")), DONE)[:-1] == [
        ToolCallDelta(0, "a", "f", "1"),
        ToolCallDelta(0, None, None, "2"),
        ToolCallDelta(1, "b", "g", "3"),
    ]


def test_calls_that_all_claim_index_0_are_told_apart_by_id():
    assert decoded(calls(piece("1", "f", index=0, id="a")), calls(piece("2", "g", index=0, id="b")), DONE)[:-1] == [
        ToolCallDelta(0, "a", "f", "1"),
        ToolCallDelta(1, "b", "g", "2"),
    ]


def test_a_call_that_ran_at_the_provider_is_not_the_clients():
    assert decoded(calls({"index": 0, "id": "a", "type": "mcp", "mcp": {}}), delta("stop")) == [Finished("stop")]


def test_done_without_a_finish_reason_after_calls_ends_in_them():
    assert decoded(calls(piece("{}", "f", id="a")), DONE)[-1] == Finished("tool_calls")
