"""When an answer counts as begun."""

import pytest

from core.errors import UpstreamBroken
from schemas.stream import ChatChunk, Finished, KeepAlive, Passed, RawEvent, Started, TextDelta
from services.gate import gated

RAW = RawEvent(b"{}", None, {})
ROLE, BLOCK = Passed(RAW), Passed(RAW, begins=True)


def through(*chunks: ChatChunk) -> tuple[list[ChatChunk], int]:
    """What came through, and behind how many chunks the answer was committed to."""
    out: list[ChatChunk] = []
    at: list[int] = []
    for chunk in gated(chunks, lambda: at.append(len(out))):
        out.append(chunk)
    assert len(at) <= 1
    return out, at[0] if at else -1


def test_what_says_nothing_waits_for_the_first_content() -> None:
    chunks = (Started(), ROLE, KeepAlive(), TextDelta("a"), ROLE, Finished("stop"))
    assert through(*chunks) == ([KeepAlive(), Started(), ROLE, TextDelta("a"), ROLE, Finished("stop")], 1)


def test_a_block_that_begins_is_the_beginning_of_the_answer() -> None:
    assert through(Started(), BLOCK, TextDelta("a"))[1] == 0


@pytest.mark.parametrize("reason", ["stop", "tool_calls"])
def test_an_answer_that_says_nothing_is_none(reason: str) -> None:
    with pytest.raises(UpstreamBroken) as raised:
        through(Started(), ROLE, Finished(reason))  # type: ignore[arg-type] # one of them
    assert raised.value.code == "upstream_empty_answer"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_stopped_at_once_is_one(reason: str) -> None:
    assert through(ROLE, Finished(reason))[1] == 0  # type: ignore[arg-type] # one of them


def test_a_turn_that_the_model_ended_without_a_word_is_one() -> None:
    assert through(Started(), Finished("stop", may_be_empty=True))[1] == 0
    told = RawEvent(b"{}", "message_delta", {"type": "message_delta"})
    with pytest.raises(UpstreamBroken):
        through(Started(), Finished("stop", raw=(told,)))


def test_a_failure_ahead_of_content_passes_nothing_on() -> None:
    def failing():  # type: ignore[no-untyped-def] # a source
        yield Started()
        yield ROLE
        raise UpstreamBroken("cut")

    got: list[ChatChunk] = []
    with pytest.raises(UpstreamBroken):
        got.extend(gated(failing(), lambda: None))
    assert got == []
