"""How stop words end an answer."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import PipelineSettings
from core.pipeline.stop_words import StopWords
from schemas.chat import ChatRequest, Native, Sampling
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

END = Finished("length", Usage(output=9))


def processed(stop: tuple[str, ...], chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
    request = ChatRequest("m", (), Native("openai_chat", {}), sampling=Sampling(stop=stop))
    return StopWords(PipelineSettings()).process(request, chunks)


def answer(stop: tuple[str, ...], *pieces: str) -> tuple[str, bool]:
    """The visible text, and whether a stop word ended it."""
    chunks = list(processed(stop, iter([*map(TextDelta, pieces), END])))
    end = chunks[-1]
    assert end == END or (isinstance(end, Finished) and end.stop_sequence in stop and end.usage is None)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)), end != END


def reference(stop: tuple[str, ...], text: str) -> tuple[str, bool]:
    """The same by looking at every beginning of the text."""
    for end in range(len(text) + 1):
        done = [word for word in stop if text[:end].endswith(word)]
        if done:
            return text[: end - max(map(len, done))], True
    return text, False


@pytest.mark.parametrize("stop", [(), ("",)])
def test_without_stop_words_the_stage_is_not_there(stop: tuple[str, ...]) -> None:
    chunks: Iterator[ChatChunk] = iter([END])
    assert processed(stop, chunks) is chunks


@pytest.mark.parametrize(
    ("stop", "text", "expected"),
    [
        (("STOP",), "a STOP b", ("a ", True)),
        (("STOP",), "STOP", ("", True)),
        (("STOP",), "a STO", ("a STO", False)),
        (("STOP",), "a stop", ("a stop", False)),
        (("x", "b"), "abx", ("a", True)),
        (("b", "abc"), "abc", ("a", True)),
        (("c", "bc"), "abc", ("a", True)),
        (("aab",), "aaab", ("a", True)),
        (("ababc",), "abababc", ("ab", True)),
        (("\n\n",), "a\nb\n\nc", ("a\nb", True)),
    ],
)
def test_the_word_that_is_complete_first_ends_the_answer(
    stop: tuple[str, ...], text: str, expected: tuple[str, bool]
) -> None:
    assert answer(stop, text) == expected
    assert answer(stop, *text) == expected


@settings(deadline=None)
@given(
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(st.text("abc", min_size=1, max_size=6), max_size=8),
)
def test_any_words_end_any_text_in_the_same_place_for_any_cut(stop: list[str], pieces: list[str]) -> None:
    assert answer(tuple(stop), *pieces) == reference(tuple(stop), "".join(pieces))


def test_only_what_may_begin_a_stop_word_is_held_back() -> None:
    out = processed(("END",), iter([TextDelta("text E"), TextDelta("N"), KeepAlive(), TextDelta("T"), END]))
    assert list(out) == [TextDelta("text "), KeepAlive(), TextDelta("ENT"), END]


def test_text_that_begins_no_stop_word_passes_as_the_same_object() -> None:
    chunk = TextDelta("text")
    assert next(processed(("END",), iter([chunk, END]))) is chunk


def test_thinking_and_tool_calls_are_not_searched() -> None:
    chunks: list[ChatChunk] = [ReasoningDelta("END"), ToolCallDelta(0, "a", "END", "END"), Finished("tool_calls")]
    assert list(processed(("END",), iter(chunks))) == chunks


@pytest.mark.parametrize("between", [ReasoningDelta("why"), ToolCallDelta(0, "a", "f")])
def test_a_word_does_not_reach_over_other_content(between: ChatChunk) -> None:
    chunks = list(processed(("END",), iter([TextDelta("E"), between, TextDelta("ND"), END])))
    assert chunks == [TextDelta("E"), between, TextDelta("ND"), END]


def test_the_source_is_closed_when_a_stop_word_came() -> None:
    closed: list[bool] = []

    def source() -> Iterator[ChatChunk]:
        try:
            yield TextDelta("a END b")
            yield TextDelta("never read")
        finally:
            closed.append(True)

    held = source()
    assert list(processed(("END",), held)) == [TextDelta("a "), Finished("stop", stop_sequence="END")]
    assert closed == [True]


def test_a_long_stop_word_takes_linear_time() -> None:
    word = "a" * 20_000 + "b"
    text, stopped = answer((word,), *("a" * 60_000))
    assert (len(text), stopped) == (60_000, False)
