"""A stop button that takes effect only where waiting is declared."""

import gevent
import pytest
from gevent.event import Event

from core.cancel import Cancellation
from core.errors import ClientGone
from core.waiting import pause

GONE = ClientGone("gone")


def test_a_greenlet_that_waits_has_the_error_raised_there() -> None:
    cancel = Cancellation()
    task = gevent.spawn(pause, 3600, cancel)
    gevent.idle()
    cancel.cancel(GONE)
    task.join(10)
    assert task.exception is GONE


def test_a_wait_that_begins_after_the_button_was_pressed_raises_at_once() -> None:
    cancel = Cancellation()
    cancel.cancel(GONE)
    assert cancel.cancelled
    with pytest.raises(ClientGone) as raised:
        cancel.begin_wait()
    assert raised.value is GONE


def test_code_between_two_waits_is_not_interrupted() -> None:
    cancel, inside, proceed = Cancellation(), Event(), Event()
    done: list[str] = []

    def work() -> None:
        pause(0, cancel)
        inside.set()
        proceed.wait(10)
        done.append("a store command")
        pause(0, cancel)
        done.append("what comes after the next wait")

    task = gevent.spawn(work)
    assert inside.wait(10)
    cancel.cancel(GONE)
    gevent.idle()
    proceed.set()
    task.join(10)
    assert task.exception is GONE
    assert done == ["a store command"]


def test_a_wait_that_ends_as_the_button_is_pressed_is_not_interrupted_later(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *failure: failures.append(failure))
    cancel = Cancellation()
    cancel.begin_wait()
    cancel.cancel(GONE)
    cancel.end_wait()
    gevent.idle()  # the error would be raised here
    assert failures == []


def test_the_first_error_counts() -> None:
    cancel = Cancellation()
    cancel.cancel(GONE)
    cancel.cancel(ClientGone("again"))
    with pytest.raises(ClientGone) as raised:
        cancel.begin_wait()
    assert raised.value is GONE


def test_nothing_is_cancelled_by_itself() -> None:
    cancel = Cancellation()
    cancel.begin_wait()
    cancel.end_wait()
    assert not cancel.cancelled
