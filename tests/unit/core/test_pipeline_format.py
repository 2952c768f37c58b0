"""How thinking is shown in each mode."""

import pytest

from config.settings import PipelineSettings
from core.pipeline.format import Format
from schemas.chat import ChatRequest, Native, ThinkingMode
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta

CALL = ToolCallDelta(0, "call_1", "f", "{}")
END = Finished("stop")


def shown(mode: ThinkingMode, *chunks: ChatChunk) -> list[ChatChunk]:
    request = ChatRequest("m", (), Native("openai_chat", {}), thinking_mode=mode)
    return list(Format(PipelineSettings()).process(request, iter(chunks)))


def tagged(*chunks: ChatChunk) -> str:
    """The visible text in `tags` mode, with a tool call as `|`; no reasoning may be left."""
    letters = {TextDelta: lambda chunk: chunk.text, ToolCallDelta: lambda _: "|", Finished: lambda _: ""}
    return "".join(letters[type(chunk)](chunk) for chunk in shown("tags", *chunks))


def test_thinking_stands_in_tags_ahead_of_the_answer() -> None:
    chunks = (ReasoningDelta("why"), ReasoningDelta(" so"), TextDelta("be"), TextDelta("cause"), END)
    assert tagged(*chunks) == "<think>why so</think>\n\nbecause"


def test_an_answer_without_thinking_has_no_tags() -> None:
    assert tagged(TextDelta("because"), END) == "because"


def test_the_tag_is_closed_even_if_no_answer_follows() -> None:
    assert tagged(ReasoningDelta("why"), Finished("length")) == "<think>why</think>\n\n"


def test_the_tag_is_closed_ahead_of_a_tool_call() -> None:
    assert tagged(ReasoningDelta("why"), CALL, Finished("tool_calls")) == "<think>why</think>\n\n|"


def test_every_stretch_of_thinking_has_its_own_tags() -> None:
    chunks = (ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c"), CALL, ReasoningDelta("d"), TextDelta("e"), END)
    assert tagged(*chunks) == "<think>a</think>\n\nb<think>c</think>\n\n|<think>d</think>\n\ne"


def test_a_keep_alive_does_not_close_the_tag() -> None:
    chunks = shown("tags", ReasoningDelta("a"), KeepAlive(), ReasoningDelta("b"), END)
    assert [type(chunk) for chunk in chunks] == [TextDelta, TextDelta, KeepAlive, TextDelta, TextDelta, Finished]


def test_hidden_thinking_is_marked_not_dropped() -> None:
    chunks = shown("hide", ReasoningDelta("why"), TextDelta("because"), CALL, END)
    assert chunks == [ReasoningDelta("why", hidden=True), TextDelta("because"), CALL, END]


def test_thinking_in_its_field_is_left_as_it_is() -> None:
    chunks = [ReasoningDelta("why"), KeepAlive(), TextDelta("because"), END]
    assert shown("field", *chunks) == chunks


@pytest.mark.parametrize("mode", ["tags", "field", "hide"])
def test_answer_chunks_pass_as_the_same_objects(mode: ThinkingMode) -> None:
    chunks = [TextDelta("a"), CALL, END]
    assert [id(chunk) for chunk in shown(mode, *chunks)] == [id(chunk) for chunk in chunks]
