"""How chunks fold into one answer."""

from collections.abc import Iterator

import pytest

from core.errors import UpstreamBroken, UpstreamTimeout
from core.pipeline.collect import collect
from schemas.answer import Answer
from schemas.chat import ThinkingBlock, ToolCall
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage


def test_the_pieces_become_one_answer() -> None:
    usage = Usage(uncached=1, output=2)
    chunks = [
        ReasoningDelta("wh"),
        KeepAlive(),
        ReasoningDelta("y"),
        TextDelta("be"),
        TextDelta("cause"),
        Finished("length", usage),
    ]
    assert collect(chunks) == Answer("because", "why", (), "length", usage, (ThinkingBlock("why"),))


def test_interleaved_tool_calls_come_out_whole_in_the_order_of_their_indexes() -> None:
    chunks = [
        ToolCallDelta(1, "b", "second", '{"x"'),
        ToolCallDelta(0, "a", "first"),
        ToolCallDelta(1, arguments=": 1}"),
        ToolCallDelta(0, arguments="{}"),
        Finished("tool_calls"),
    ]
    calls = (ToolCall("a", "first", "{}"), ToolCall("b", "second", '{"x": 1}'))
    assert collect(chunks) == Answer("", "", calls, "tool_calls", None)


def test_hidden_thinking_is_left_out() -> None:
    assert collect([ReasoningDelta("why", hidden=True), TextDelta("x"), Finished("stop")]).reasoning == ""


def test_a_stream_without_finished_is_broken() -> None:
    with pytest.raises(UpstreamBroken):
        collect([TextDelta("half")])


def test_an_error_in_the_stream_is_the_answers_error() -> None:
    def source() -> Iterator[ChatChunk]:
        yield TextDelta("half")
        raise UpstreamTimeout("too slow")

    with pytest.raises(UpstreamTimeout):
        collect(source())
