"""What the validation stage makes of streams that providers send."""

from collections.abc import Iterator

import pytest

from config.settings import PipelineSettings
from core.errors import UpstreamBroken
from core.pipeline.validate import ResponseValidation
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

REQUEST = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("openai_chat", {}))


def validated(*chunks: ChatChunk) -> list[ChatChunk]:
    return list(ResponseValidation(PipelineSettings()).process(REQUEST, iter(chunks)))


def test_a_well_formed_stream_passes_as_the_same_objects() -> None:
    chunks = [
        ReasoningDelta("r"),
        KeepAlive(),
        TextDelta("t"),
        ToolCallDelta(0, "call_1", "f"),
        ToolCallDelta(0, arguments="{}"),
        Finished("tool_calls", Usage(output=3)),
    ]
    assert [id(chunk) for chunk in validated(*chunks)] == [id(chunk) for chunk in chunks]


def test_empty_pieces_are_left_out() -> None:
    call = ToolCallDelta(0, "a", "f")
    chunks = validated(TextDelta(""), ReasoningDelta(""), call, ToolCallDelta(0), Finished("tool_calls"))
    assert chunks == [call, Finished("tool_calls")]


def test_nothing_after_finished_is_read() -> None:
    read: list[str] = []

    def source() -> Iterator[ChatChunk]:
        yield Finished("stop")
        read.append("too far")
        yield TextDelta("late")

    assert list(ResponseValidation(PipelineSettings()).process(REQUEST, source())) == [Finished("stop")]
    assert read == []


def test_a_stream_without_finished_is_broken() -> None:
    with pytest.raises(UpstreamBroken):
        validated(TextDelta("half an ans"))


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    first, second, _ = validated(ToolCallDelta(0, name="f"), ToolCallDelta(1, name="f"), Finished("tool_calls"))
    assert isinstance(first, ToolCallDelta)
    assert isinstance(second, ToolCallDelta)
    assert first.id is not None
    assert first.id.startswith("call_")
    assert first.id != second.id


@pytest.mark.parametrize("name", [None, ""])
def test_a_call_that_begins_without_a_name_is_broken(name: str | None) -> None:
    with pytest.raises(UpstreamBroken, match="name"):
        validated(ToolCallDelta(0, "call_1", name, "{}"), Finished("tool_calls"))


def test_id_and_name_come_once_even_if_the_provider_repeats_them() -> None:
    chunks = validated(ToolCallDelta(0, "a", "f", "{"), ToolCallDelta(0, "a", "f", "}"), Finished("tool_calls"))
    assert chunks[:2] == [ToolCallDelta(0, "a", "f", "{"), ToolCallDelta(0, arguments="}")]


def test_stop_after_a_call_becomes_tool_calls_with_its_usage() -> None:
    usage = Usage(output=1)
    assert validated(ToolCallDelta(0, "a", "f"), Finished("stop", usage))[-1] == Finished("tool_calls", usage)


def test_tool_calls_without_a_call_becomes_stop() -> None:
    assert validated(TextDelta("x"), Finished("tool_calls"))[-1] == Finished("stop")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_other_reasons_stay_even_after_a_call(reason: str) -> None:
    assert validated(ToolCallDelta(0, "a", "f"), Finished(reason))[-1] == Finished(reason)  # type: ignore[arg-type]
