"""How the figures of an Anthropic answer become one usage."""

import pytest

from core.sse import Event
from schemas.codec import dumps
from schemas.stream import Finished, Started
from schemas.usage import Usage
from tests.unit.core.anthropic_kit import STOP, decoded, delta, ended, event, opened, started

HELLO = (opened(0, "text", text=""), delta(0, "text_delta", text="Hi"))


def told(start, *ends):
    """What is known at the start, and at the end."""
    events = [event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage) for usage in ends]
    chunks = decoded(started(**start), *HELLO, *events, STOP)
    assert isinstance(chunks[0], Started)
    assert isinstance(chunks[-1], Finished)
    return chunks[0].usage, chunks[-1].usage


def test_the_prompt_is_told_at_the_start_and_the_output_at_the_end():
    start = {"input_tokens": 3, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 20, "output_tokens": 1}
    assert told(start, {"output_tokens": 9}) == (
        Usage(uncached=3, read=50, write_short=20),
        Usage(uncached=3, read=50, write_short=20, output=9),
    )


def test_writes_are_told_apart_by_how_long_they_last():
    split = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15}
    start = {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_creation": split}
    assert told(start, {"output_tokens": 9})[1] == Usage(uncached=3, write_short=5, write_long=15, output=9)
    grown = {"output_tokens": 9, "cache_creation_input_tokens": 30}
    assert told(start, grown)[1] == Usage(uncached=3, write_short=15, write_long=15, output=9)
    assert told({"input_tokens": 3, "cache_creation": split}, {"output_tokens": 9})[1].write_short == 5


def test_tokens_of_thinking_are_part_of_the_output():
    end = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    assert told({"input_tokens": 1}, end)[1] == Usage(uncached=1, output=9, reasoning=4)


def test_figures_that_come_only_at_the_end_are_taken():
    # GLM's host: https://github.com/zai-org/GLM-5/issues/139
    end = {"input_tokens": 100, "cache_read_input_tokens": 64, "output_tokens": 9}
    assert told({"input_tokens": 0, "output_tokens": 0}, end) == (None, Usage(uncached=100, read=64, output=9))


def test_later_zeros_do_not_hide_what_was_told():
    start = {"input_tokens": 3, "cache_read_input_tokens": 50}
    zeros = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 9}
    assert told(start, zeros, {"output_tokens": 0})[1] == Usage(uncached=3, read=50, output=9)


def test_cumulative_figures_replace_earlier_ones():
    ends = ({"output_tokens": 5, "input_tokens": 40}, {"output_tokens": 9})
    assert told({"input_tokens": 3}, *ends)[1] == Usage(uncached=40, output=9)


def test_what_is_not_told_is_unknown_and_not_zero():
    assert told({}, {}) == (None, None)
    assert told({"output_tokens": 1}, None) == (None, None)
    assert told({"input_tokens": 0}, {"output_tokens": 0}) == (None, None)
    assert told({"input_tokens": 3}, {})[1] == Usage(uncached=3)
    assert told({}, {"output_tokens": 9})[1] == Usage(output=9)


def test_an_answer_of_nothing_may_have_no_tokens():
    chunks = decoded(started(input_tokens=3), ended("max_tokens", output_tokens=0))
    assert chunks[-1] == Finished("length", Usage(uncached=3, output=0), may_be_empty=True)


def test_a_whole_message_tells_all_at_once():
    usage = {"input_tokens": 3, "cache_read_input_tokens": 0, "output_tokens": 9, "service_tier": "standard"}
    message = {
        "type": "message",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": usage,
    }
    assert decoded(Event(dumps(message), "body"))[-1].usage == Usage(uncached=3, read=0, output=9)


@pytest.mark.parametrize("odd", ["7", None, True, [], 1.9, -5])
def test_odd_figures_never_become_nonsense(odd):
    usage = told({"input_tokens": 3}, {"output_tokens": odd, "cache_read_input_tokens": odd})[1]
    assert usage.output in (None, 1)
    assert usage.read in (None, 0, 1)
