"""Where the usage at the end of an answer comes from."""

from collections.abc import Iterator

import pytest

from config.settings import PipelineSettings
from core.pipeline.format import Format
from core.pipeline.token_count import TokenCount
from schemas.chat import ChatRequest, Message, Native, TextPart, ThinkingMode
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

PROMPT = 1000


class Letters:
    """Counts letters for tokens, and takes every prompt for a thousand."""

    def __init__(self) -> None:
        self.asked = 0

    def count_text(self, text: str) -> int:
        self.asked += 1
        return len(text)

    def count_request(self, request: ChatRequest) -> int:
        self.asked += 1
        return PROMPT


def request(mode: ThinkingMode = "field") -> ChatRequest:
    return ChatRequest("m", (Message("user", (TextPart("hi"),)),), Native("openai_chat", {}), thinking_mode=mode)


def usage(*chunks: ChatChunk, mode: ThinkingMode = "field", counter: Letters | None = None) -> Usage:
    stage = TokenCount(PipelineSettings(), counter or Letters())  # type: ignore[arg-type]
    shown: Iterator[ChatChunk] = Format(PipelineSettings()).process(request(mode), iter(chunks))
    *_, end = stage.process(request(mode), shown)
    assert isinstance(end, Finished)
    assert end.usage is not None
    return end.usage


def test_the_providers_usage_stays_and_nothing_is_counted() -> None:
    counter = Letters()
    reported = Usage(uncached=5, read=3, output=7)
    assert usage(TextDelta("some text"), Finished("stop", reported), counter=counter) is reported
    assert counter.asked == 0


def test_missing_usage_is_estimated_from_all_that_went_by() -> None:
    chunks = (
        ReasoningDelta("why"),
        KeepAlive(),
        TextDelta("answer"),
        ToolCallDelta(0, "call_1", "fn", "{"),
        ToolCallDelta(0, arguments="}"),
        Finished("tool_calls"),
    )
    assert usage(*chunks) == Usage(uncached=PROMPT, output=3 + 6 + 2 + 2, reasoning=3, source="estimated")


@pytest.mark.parametrize("mode", ["tags", "field", "hide"])
def test_thinking_counts_alike_however_it_is_shown_and_tags_do_not(mode: ThinkingMode) -> None:
    chunks = (ReasoningDelta("why"), TextDelta("answer"), ReasoningDelta("more"), Finished("stop"))
    assert usage(*chunks, mode=mode) == Usage(uncached=PROMPT, output=13, reasoning=7, source="estimated")


def test_tags_the_model_wrote_in_its_answer_count_as_answer() -> None:
    tag = "".join(["<thi", "nk>"])
    counted = usage(TextDelta("Write "), TextDelta(tag), TextDelta("x"), Finished("stop"), mode="tags")
    assert (counted.output, counted.reasoning) == (6 + 7 + 1, 0)


def test_only_the_missing_half_is_estimated() -> None:
    end = Finished("stop", Usage(uncached=5, read=3))
    assert usage(TextDelta("abcd"), end) == Usage(uncached=5, read=3, output=4, reasoning=0, source="estimated")


def test_a_missing_prompt_is_estimated_less_what_was_read_from_the_cache() -> None:
    end = Finished("stop", Usage(read=300, output=7))
    assert usage(TextDelta("abcd"), end) == Usage(uncached=700, read=300, output=7, source="estimated")


def test_a_prompt_estimate_is_never_negative() -> None:
    assert usage(Finished("stop", Usage(read=5000, output=7))).uncached == 0


def test_every_chunk_passes_as_the_same_object() -> None:
    chunks = [ReasoningDelta("a"), TextDelta("b"), KeepAlive(), ToolCallDelta(0, "c", "f"), Finished("stop")]
    stage = TokenCount(PipelineSettings(), Letters())  # type: ignore[arg-type]
    out = list(stage.process(request(), iter(chunks)))
    assert [id(chunk) for chunk in out[:-1]] == [id(chunk) for chunk in chunks[:-1]]
