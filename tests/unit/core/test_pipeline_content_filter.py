"""What the content filter does to answers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from config.settings import ContentFilterSettings, FilterPattern, PipelineSettings
from core.pipeline.content_filter import ContentFilter
from schemas.chat import ChatRequest, Native
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

REQUEST = ChatRequest("m", (), Native("openai_chat", {}))
END = Finished("stop", Usage(output=9))


def pattern(regex: str, action: str = "redact", name: str = "p", **more: Any) -> FilterPattern:
    return FilterPattern.model_validate({"name": name, "pattern": regex, "action": action, **more})


def stage(*patterns: FilterPattern, enabled: bool = True) -> ContentFilter:
    return ContentFilter(PipelineSettings(content_filter=ContentFilterSettings(enabled=enabled, patterns=patterns)))


def filtered(patterns: list[FilterPattern], *chunks: ChatChunk) -> list[ChatChunk]:
    return list(stage(*patterns).process(REQUEST, iter(chunks)))


def answer(patterns: list[FilterPattern], *pieces: str) -> tuple[str, str]:
    """The visible text and the finish reason."""
    *chunks, end = filtered(patterns, *map(TextDelta, pieces), END)
    assert isinstance(end, Finished)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)), end.reason


@pytest.mark.parametrize("made", [stage(), stage(pattern("x"), enabled=False)])
def test_without_patterns_the_stage_is_not_there(made: ContentFilter) -> None:
    chunks: Iterator[ChatChunk] = iter([END])
    assert made.process(REQUEST, chunks) is chunks


def test_a_pattern_that_is_no_regular_expression_is_named() -> None:
    with pytest.raises(ValueError, match="'bad one'"):
        stage(pattern("(", name="bad one"))


def test_redact_writes_the_replacement() -> None:
    cards = pattern(r"\b\d{16}\b", replacement="[card]")
    assert answer([cards], "Pay 1234567812345678 now") == ("Pay [card] now", "stop")


def test_the_replacement_is_taken_as_it_stands() -> None:
    assert answer([pattern("(x)", replacement=r"\1$1")], "axb") == (r"a\1$1b", "stop")


def test_case_is_ignored_unless_asked() -> None:
    assert answer([pattern("secret")], "SECRET") == ("[redacted]", "stop")
    assert answer([pattern("secret", ignore_case=False)], "SECRET") == ("SECRET", "stop")


def test_a_match_is_found_for_every_cut() -> None:
    text = "my key is sk-abc123, keep it"
    rule = [pattern(r"sk-[a-z0-9]{4,}", max_length=12)]
    for at in range(1, len(text)):
        assert answer(rule, text[:at], text[at:]) == ("my key is [redacted], keep it", "stop")
    assert answer(rule, *text) == ("my key is [redacted], keep it", "stop")


def test_block_ends_the_answer_ahead_of_the_match() -> None:
    rule = pattern("bomb", "block", max_length=4)
    assert answer([rule], "how to build a bo", "mb at home") == ("how to build a ", "content_filter")


def test_block_closes_the_source() -> None:
    closed: list[bool] = []

    def source() -> Iterator[ChatChunk]:
        try:
            yield TextDelta("a bomb and more")
            yield TextDelta("never read")
        finally:
            closed.append(True)

    held = source()
    out = list(stage(pattern("bomb", "block", max_length=4)).process(REQUEST, held))
    assert out == [TextDelta("a "), Finished("content_filter")]
    assert closed == [True]


def test_a_block_found_at_the_end_keeps_the_usage() -> None:
    assert filtered([pattern("bomb", "block")], TextDelta("bomb"), END) == [Finished("content_filter", END.usage)]


def test_a_block_found_ahead_of_a_tool_call_stops_the_call() -> None:
    chunks = filtered([pattern("bomb", "block")], TextDelta("a bomb"), ToolCallDelta(0, "a", "f"), END)
    assert chunks == [TextDelta("a "), Finished("content_filter")]


def test_a_block_found_ahead_of_other_text_stops_that_text() -> None:
    chunks = filtered([pattern("bomb", "block")], ReasoningDelta("a bomb"), TextDelta("b"), END)
    assert chunks == [ReasoningDelta("a "), Finished("content_filter")]


def test_log_lets_the_text_pass_at_once_and_tells_only_the_name() -> None:
    chunks = [TextDelta("my sec"), TextDelta("ret"), TextDelta(" and secret"), END]
    with capture_logs() as logs:
        out = filtered([pattern("secret", "log", "words")], *chunks)
    assert [id(chunk) for chunk in out] == [id(chunk) for chunk in chunks]
    assert logs == [
        {"event": "content_filter_matched", "log_level": "info", "pattern": "words", "action": "log", "count": 2}
    ]


def test_what_was_found_is_logged_even_if_the_client_goes_away() -> None:
    with capture_logs() as logs:
        out = stage(pattern("secret", max_length=6)).process(REQUEST, iter([TextDelta("a secret and more"), END]))
        assert next(out) == TextDelta("a [redacted] an")
        out.close()  # type: ignore[attr-defined]
    assert [log["count"] for log in logs] == [1]


def test_patterns_work_one_after_the_other() -> None:
    rules = [pattern("a", replacement="b"), pattern("bb", replacement="c")]
    assert answer(rules, "xabx") == ("xcx", "stop")


def test_a_logged_match_does_not_hide_one_to_redact() -> None:
    assert answer([pattern("my key", "log"), pattern("key")], "my key") == ("my [redacted]", "stop")


def test_a_later_pattern_still_sees_what_stands_ahead_of_a_block() -> None:
    rules = [pattern("bomb", "block", max_length=4), pattern("secret", max_length=50)]
    assert answer(rules, "a secret bomb and so on") == ("a [redacted] ", "content_filter")


def test_thinking_is_searched_apart_from_the_answer() -> None:
    chunks = filtered([pattern("secret")], ReasoningDelta("sec"), TextDelta("ret secret"), END)
    assert chunks == [ReasoningDelta("sec"), TextDelta("ret [redacted]"), END]


def test_thinking_is_redacted_too() -> None:
    chunks = filtered([pattern("secret")], ReasoningDelta("a sec"), ReasoningDelta("ret"), END)
    assert chunks == [ReasoningDelta("a [redacted]"), END]


def test_tool_calls_are_left_alone() -> None:
    chunks: list[ChatChunk] = [ToolCallDelta(0, "a", "secret", '{"x": "secret"}'), Finished("tool_calls")]
    assert filtered([pattern("secret")], *chunks) == chunks


def test_no_more_than_the_longest_match_is_held_back_and_keep_alives_pass() -> None:
    chunks = filtered([pattern("x{5}", max_length=5)], TextDelta("abcdefgh"), KeepAlive(), TextDelta("i"), END)
    assert chunks == [TextDelta("abc"), KeepAlive(), TextDelta("d"), TextDelta("efghi"), END]


def test_a_match_longer_than_its_bound_is_redacted_in_parts() -> None:
    assert answer([pattern(r"\d+", max_length=4, replacement="#")], "a1234567890b") == ("a###b", "stop")


def test_a_pattern_that_can_match_nothing_changes_nothing_else() -> None:
    assert answer([pattern("x*", replacement="#")], "axxb") == ("a#b", "stop")


REGEXES = ["ab", "a+b", r"\ba", r"b\b", "(?<=a)b", "a(?!b)", "^a", r"a\Z", "a.?b", "ab|b", "b*", r"[ab]+\b", "a{2,3}"]
PIECES = st.lists(st.text("ab -", min_size=1, max_size=5), max_size=10)


@settings(deadline=None)
@given(st.sampled_from(REGEXES), PIECES)
def test_redacting_a_stream_is_replacing_in_the_whole_text(regex: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    expected = re.sub(f"(?i:{regex})", lambda found: "#" if found.group() else "", text)
    assert answer([pattern(regex, replacement="#", max_length=60)], *pieces) == (expected, "stop")


RULES = st.builds(
    pattern,
    st.sampled_from(REGEXES),
    st.sampled_from(["block", "redact", "log"]),
    replacement=st.sampled_from(["#", "ab", ""]),
    max_length=st.integers(1, 6),
)


@settings(deadline=None)
@given(st.lists(RULES, min_size=1, max_size=3), PIECES)
def test_any_patterns_do_the_same_to_any_cut(rules: list[FilterPattern], pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert answer(rules, *pieces) == answer(rules, *([whole] if whole else []))
