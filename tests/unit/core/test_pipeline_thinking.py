"""How thinking is told from answer when it comes in tags, in a field of its own, or both."""

from collections.abc import Iterator

import pytest

from config.settings import PipelineSettings
from core.pipeline.thinking import Thinking
from schemas.chat import ChatRequest, ImagePart, Message, Native, TextPart, ThinkingOptions
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta

STAGE = Thinking(PipelineSettings())
CALL = ToolCallDelta(0, "call_1", "f", "{}")
END = Finished("stop")


def request(*messages: Message, clear: bool | None = None) -> ChatRequest:
    return ChatRequest("m", messages, Native("openai_chat", {}), thinking=ThinkingOptions(clear=clear))


def processed(*chunks: ChatChunk) -> list[ChatChunk]:
    return list(STAGE.process(request(), iter(chunks)))


def reasoning(*pieces: str) -> list[ChatChunk]:
    return [ReasoningDelta(piece) for piece in pieces]


def joined(chunks: list[ChatChunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningDelta))


def test_text_in_tags_becomes_reasoning() -> None:
    chunks = processed(TextDelta("<th"), TextDelta("ink>why</think>\n\nbe"), TextDelta("cause"), END)
    assert chunks == [ReasoningDelta("why"), TextDelta("be"), TextDelta("cause"), END]


def test_chunks_that_continue_a_stretch_pass_as_the_same_objects() -> None:
    chunks = [*reasoning("why", " so"), TextDelta("because"), TextDelta(" of"), CALL, Finished("tool_calls")]
    out = processed(*chunks)
    assert out == chunks
    assert [id(out[at]) for at in (1, 3, 4, 5)] == [id(chunks[at]) for at in (1, 3, 4, 5)]


def test_a_keep_alive_passes_at_once_and_changes_nothing() -> None:
    chunks = processed(TextDelta("<thi"), KeepAlive(), TextDelta("nk>a</think>b"), END)
    assert chunks == [KeepAlive(), ReasoningDelta("a"), TextDelta("b"), END]


def test_text_is_passed_on_before_more_is_asked_for() -> None:
    asked: list[str] = []

    def source() -> Iterator[ChatChunk]:
        asked.append("first")
        yield TextDelta("visible <")
        asked.append("second")
        yield END

    out = STAGE.process(request(), source())
    assert next(out) == TextDelta("visible ")
    assert asked == ["first"]


def test_a_tag_that_never_became_whole_is_sent_at_the_end() -> None:
    assert processed(TextDelta("a </thi"), END) == [TextDelta("a "), TextDelta("</thi"), END]


def test_unclosed_thinking_is_all_reasoning_and_keeps_its_reason() -> None:
    assert processed(TextDelta("<think>on and on"), Finished("length")) == [*reasoning("on and on"), Finished("length")]


def test_thinking_in_tags_and_a_tool_call_come_in_that_order() -> None:
    chunks = processed(TextDelta("<think>why</think>"), CALL, Finished("tool_calls"))
    assert chunks == [ReasoningDelta("why"), CALL, Finished("tool_calls")]


def test_held_text_is_sent_ahead_of_a_tool_call() -> None:
    chunks = processed(TextDelta("x </"), CALL, Finished("tool_calls"))
    assert chunks == [TextDelta("x "), TextDelta("</"), CALL, Finished("tool_calls")]


def test_a_block_after_a_tool_call_is_thinking_again() -> None:
    chunks = processed(TextDelta("<think>a</think>text"), CALL, TextDelta("<think>b</think>more"), END)
    assert chunks == [ReasoningDelta("a"), TextDelta("text"), CALL, ReasoningDelta("\nb"), TextDelta("more"), END]


def test_a_block_after_visible_text_stays_text() -> None:
    assert processed(TextDelta("Hi. "), TextDelta("<think>b</think>"), END)[1] == TextDelta("<think>b</think>")


def test_tags_in_the_answer_after_a_reasoning_field_are_text() -> None:
    chunks = processed(ReasoningDelta("why"), TextDelta("Write </think> there"), END)
    assert chunks == [ReasoningDelta("why"), TextDelta("Write </think> there"), END]


def test_an_orphan_closing_tag_between_field_and_answer_is_dropped() -> None:
    assert processed(ReasoningDelta("why"), TextDelta("</think>\n\nHi"), END) == [
        *reasoning("why"),
        TextDelta("Hi"),
        END,
    ]


def test_blanks_ahead_of_a_reasoning_field_are_dropped() -> None:
    assert processed(TextDelta("\n"), ReasoningDelta("why"), TextDelta("a"), END)[0] == ReasoningDelta("why")


WRAPPED = {
    "no tags": ("why", "why"),
    "both tags": ("<think>why</think>", "why"),
    "long names and blanks": ("\n<Thinking>why\n</THINKING>\n", "why\n"),
    "only the opening": ("<think>why", "why"),
    "only the closing": ("why</think>", "why"),
    "nothing inside": ("<think></think>", ""),
    "tags inside stay": ("a <think>b</think> c", "a <think>b</think> c"),
    "a tag cut off stays": ("why</thin", "why</thin"),
    "blanks at the start stay": ("  why", "  why"),
    "an angle at the start": ("<b>why", "<b>why"),
    "two closings": ("a</think></think>", "a</think>"),
    "too many blanks": (" " * 300 + "<think>a", " " * 300 + "<think>a"),
    "many blanks behind": ("a</think>" + " " * 20, "a</think>" + " " * 20),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_only_a_wrapper_of_tags_is_taken_off_a_reasoning_field_for_every_cut(case: str) -> None:
    text, expected = WRAPPED[case]
    for at in range(len(text)):
        pieces = [piece for piece in (text[:at], text[at:]) if piece]
        assert joined(processed(*reasoning(*pieces), TextDelta("a"), END)) == expected
    assert joined(processed(*reasoning(*text), CALL, END)) == expected


def test_every_stretch_of_reasoning_has_a_wrapper_of_its_own() -> None:
    chunks = processed(ReasoningDelta("<think>a</think>"), CALL, ReasoningDelta("<think>b</think>"), END)
    assert chunks == [ReasoningDelta("a"), CALL, ReasoningDelta("b"), END]


HISTORY = "<think>why</think>\n\nbecause"


def assistant(text: str, reasoning: str | None = None) -> Message:
    return Message("assistant", (TextPart(text),), reasoning=reasoning)


@pytest.mark.parametrize("clear", [None, True])
def test_thinking_in_the_history_is_not_sent_again(clear: bool | None) -> None:
    assert STAGE.prepare(request(assistant(HISTORY), clear=clear)).messages == (assistant("because"),)


def test_preserved_thinking_becomes_the_reasoning_of_its_message() -> None:
    assert STAGE.prepare(request(assistant(HISTORY), clear=False)).messages == (assistant("because", "why"),)


@pytest.mark.parametrize("clear", [None, False])
def test_reasoning_the_client_sent_in_the_field_is_kept(clear: bool | None) -> None:
    prepared = STAGE.prepare(request(assistant(HISTORY, "field"), clear=clear))
    assert prepared.messages == (assistant("because", "field"),)


def test_other_parts_of_the_message_stay() -> None:
    image = ImagePart("https://example.org/a.png")
    message = Message("assistant", (TextPart("<think>why</think>"), image))
    assert STAGE.prepare(request(message)).messages[0].parts == (image,)


@pytest.mark.parametrize(
    "message",
    [
        Message("user", (TextPart(HISTORY),)),
        Message("system", (TextPart(HISTORY),)),
        assistant("A tag: <think>x</think>"),
        assistant("<thinker>"),
        assistant("<details>x</details>"),
        Message("assistant", ()),
        Message("assistant", (ImagePart("https://example.org/a.png"), TextPart(HISTORY))),
    ],
)
def test_a_history_without_think_blocks_is_the_same_request(message: Message) -> None:
    before = request(message)
    assert STAGE.prepare(before) is before
