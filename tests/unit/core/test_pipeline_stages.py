"""The whole pipeline: what leaves it is the same for every way the provider cuts its answer."""

from collections.abc import Iterator
from itertools import pairwise, zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import ContentFilterSettings, FilterPattern, PipelineSettings
from core.counting import TokenCounter
from core.errors import UpstreamTimeout
from core.pipeline import STAGES, Pipeline
from core.pipeline.collect import collect
from schemas.answer import Answer
from schemas.chat import ChatRequest, Message, Native, Sampling, TextPart, ThinkingMode
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

END = Finished("stop", Usage(uncached=1, output=2))
COUNTER = TokenCounter()
PLAIN = Pipeline(PipelineSettings(), COUNTER)
FILTERING = Pipeline(
    PipelineSettings(
        content_filter=ContentFilterSettings(
            patterns=(
                FilterPattern(name="digits", pattern=r"\b\d{2,4}\b", replacement="#", max_length=4),
                FilterPattern(name="word", pattern="bomb", action="block", max_length=4),
            )
        )
    ),
    COUNTER,
)
MODES: list[ThinkingMode] = ["tags", "field", "hide"]


def request(mode: ThinkingMode = "tags", stop: tuple[str, ...] = ()) -> ChatRequest:
    message = Message("user", (TextPart("hi"),))
    sampling = Sampling(stop=stop)
    return ChatRequest("m", (message,), Native("openai_chat", {}), thinking_mode=mode, sampling=sampling)


def answer(pipeline: Pipeline, asked: ChatRequest, chunks: list[ChatChunk]) -> Answer:
    return collect(pipeline.process(pipeline.prepare(asked), iter(chunks)))


def test_the_stages_stand_in_this_order() -> None:
    names = [stage.__name__ for stage in STAGES]
    assert names == ["ResponseValidation", "Thinking", "StopWords", "ContentFilter", "Format", "TokenCount"]


@pytest.mark.parametrize(
    ("mode", "text", "reasoning"),
    [("tags", "<think>why</think>\n\nbecause", ""), ("field", "because", "why"), ("hide", "because", "")],
)
def test_thinking_is_shown_as_asked(mode: ThinkingMode, text: str, reasoning: str) -> None:
    got = answer(PLAIN, request(mode), [TextDelta("<think>why</think>\nbecause"), END])
    assert (got.text, got.reasoning, got.usage) == (text, reasoning, END.usage)


def test_stop_words_and_filters_see_the_answer_not_the_tags_written_for_it() -> None:
    got = answer(PLAIN, request(stop=("<think>", "\n\n")), [ReasoningDelta("a\n\nb"), TextDelta("c\n\nd"), END])
    assert got.text == "<think>a\n\nb</think>\n\nc"


def test_a_history_that_was_answered_in_tags_goes_upstream_without_them() -> None:
    earlier = answer(PLAIN, request(), [ReasoningDelta("why"), TextDelta("because"), END])
    history = ChatRequest("m", (Message("assistant", (TextPart(earlier.text),)),), Native("openai_chat", {}))
    assert PLAIN.prepare(history).messages[0].text == "because"


def test_an_answer_that_was_stopped_by_us_is_counted() -> None:
    got = answer(PLAIN, request(stop=("END",)), [TextDelta("some words END more"), END])
    assert got.usage is not None
    assert got.usage.source == "estimated"
    assert got.usage.output == 3


def test_the_first_content_leaves_before_more_is_read() -> None:
    read: list[int] = []

    def source() -> Iterator[ChatChunk]:
        for count in range(3):
            read.append(count)
            yield TextDelta("word ")
        yield END

    assert next(PLAIN.process(request(), source())) == TextDelta("word ")
    assert read == [0]


def test_an_error_passes_through_behind_what_was_sent() -> None:
    def source() -> Iterator[ChatChunk]:
        yield TextDelta("half")
        raise UpstreamTimeout("too slow")

    out = PLAIN.process(request(), source())
    assert next(out) == TextDelta("half")
    with pytest.raises(UpstreamTimeout):
        next(out)


@pytest.mark.parametrize("mode", MODES)
def test_closing_the_outermost_closes_the_provider(mode: ThinkingMode) -> None:
    closed: list[bool] = []

    def source() -> Iterator[ChatChunk]:
        try:
            yield TextDelta("a lot of text that is longer than any filter holds back")
            yield END
        finally:
            closed.append(True)

    out = FILTERING.process(request(mode, stop=("END",)), source())
    next(out)
    out.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_two_interleaved_streams_do_not_mix() -> None:
    first = PLAIN.process(request(), iter([TextDelta("<thi"), TextDelta("nk>a</think>b"), END]))
    second = PLAIN.process(request(), iter([TextDelta("c <"), TextDelta("d"), END]))
    texts = ["", ""]
    for pair in zip_longest(first, second):
        for at, chunk in enumerate(pair):
            texts[at] += chunk.text if isinstance(chunk, TextDelta) else ""
    assert texts == ["<think>a</think>\n\nb", "c <d"]


WORDS = st.sampled_from(
    [
        *("<think>", "</think>", "<Thinking a=b>", "</thinking>", "<details type='reasoning'>", "</details>", "\n> "),
        *("<|begin_of_box|>", "<|end_of_box|>", "<", "</thi", "\n", "\n\n", " ", "`", "EN", "END", "bo", "mb", "bomb"),
        *("1", "12", "12345", " 99 ", "word", "é", "你"),
    ]
)
KINDS = {"text": TextDelta, "reasoning": ReasoningDelta}


def pieces(text: str, cuts: set[int]) -> list[str]:
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[ChatChunk], list[ChatChunk]]:
    """One answer twice: each stretch in one chunk, and cut anywhere with signs of life between."""
    whole: list[ChatChunk] = []
    cut: list[ChatChunk] = []
    kinds = draw(st.lists(st.sampled_from(["text", "text", "reasoning", "call"]), min_size=1, max_size=4))
    last = ""
    for index, kind in enumerate(kinds):
        if kind == "call":
            call = ToolCallDelta(index, f"call_{index}", "f", "{}")
            whole.append(call)
            cut.append(call)
        elif kind != last:
            text = "".join(draw(st.lists(WORDS, min_size=1, max_size=8)))
            made = KINDS[kind]
            whole.append(made(text))
            for piece in pieces(text, draw(st.sets(st.integers(1, 60), max_size=10))):
                cut += [made(piece), KeepAlive()]
        last = kind
    return [*whole, END], [*cut, END]


@settings(max_examples=150, deadline=None)
@given(answers(), st.sampled_from(MODES), st.sampled_from([(), ("END",), ("\n\n", "ENDbo", "é")]), st.booleans())
def test_any_answer_is_the_same_streamed_and_not(
    both: tuple[list[ChatChunk], list[ChatChunk]], mode: ThinkingMode, stop: tuple[str, ...], filtering: bool
) -> None:
    whole, cut = both
    pipeline = FILTERING if filtering else PLAIN
    assert answer(pipeline, request(mode, stop), cut) == answer(pipeline, request(mode, stop), whole)


@settings(deadline=None)
@given(answers(), st.sampled_from(MODES))
def test_what_leaves_is_well_formed(both: tuple[list[ChatChunk], list[ChatChunk]], mode: ThinkingMode) -> None:
    *chunks, end = FILTERING.process(request(mode, ("END",)), iter(both[1]))
    assert isinstance(end, Finished)
    assert end.usage is not None
    assert not any(isinstance(chunk, Finished) for chunk in chunks)
    assert all(chunk.text for chunk in chunks if isinstance(chunk, (TextDelta, ReasoningDelta)))


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="<"), min_size=1), st.sets(st.integers(1, 60), max_size=10))
def test_text_without_tags_leaves_as_it_came(text: str, cuts: set[int]) -> None:
    assert answer(PLAIN, request(), [*map(TextDelta, pieces(text, cuts)), END]).text == text


def test_long_answers_in_single_characters_come_to_an_end() -> None:
    text = "<think>" + "why 12 < " * 5_000 + "</think>" + "a < b `</x>` 1234 EN " * 10_000
    got = answer(FILTERING, request("field", ("END",)), [*map(TextDelta, text), END])
    assert got.text == "a < b `</x>` # EN " * 10_000
