"""What is told of an end, and to whom."""

import pytest

from core.cancel import Cancellation
from core.errors import ShuttingDown
from services.closing import Closing


def is_ended(cancel: Cancellation) -> bool:
    """True when whoever waits by it is told that the gateway shuts down."""
    try:
        cancel.begin_wait()
    except ShuttingDown:
        return True
    cancel.end_wait()
    return False


def test_a_gateway_that_drains_ends_nothing() -> None:
    closing, cancel = Closing(), Cancellation()
    closing.enter(cancel)
    assert not closing.draining
    closing.drain()
    assert closing.draining
    assert not is_ended(cancel)


def test_an_end_reaches_all_that_is_under_way_and_nothing_that_is_over() -> None:
    closing, under_way, over = Closing(), Cancellation(), Cancellation()
    closing.enter(under_way)
    closing.enter(over)
    closing.leave(over)
    closing.leave(over)
    assert closing.end() == 1
    assert closing.draining
    assert is_ended(under_way)
    assert not is_ended(over)


def test_what_begins_after_the_end_is_ended_as_well() -> None:
    closing, late = Closing(), Cancellation()
    closing.end()
    closing.enter(late)
    assert is_ended(late)


def test_what_is_watched_is_under_way_as_long_as_its_block() -> None:
    closing = Closing()
    with closing.watched(Cancellation()) as cancel:
        assert closing.end() == 1
        assert is_ended(cancel)
    assert closing.end() == 0
    with pytest.raises(KeyError), closing.watched(Cancellation()):
        raise KeyError
    assert closing.end() == 0
