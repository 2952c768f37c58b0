"""Waits that can be cancelled, for a socket, another greenlet or a while."""

import socket
from collections.abc import Callable, Iterator
from time import monotonic

import gevent
import pytest
from gevent.event import Event

from core.cancel import Cancellation
from core.errors import ClientGone
from core.waiting import Readiness, join, pause

LONG, SHORT = 3600.0, 0.001


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    yield near, far
    near.close()
    far.close()


def cancelled(wait: Callable[[Cancellation], object]) -> BaseException | None:
    """What `wait` raises when it is cancelled while it waits."""
    cancel = Cancellation()
    task = gevent.spawn(wait, cancel)
    gevent.idle()
    cancel.cancel(ClientGone("gone"))
    task.join(10)
    return task.exception


def test_a_socket_with_something_to_read_is_ready(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    readiness = Readiness(near.fileno(), LONG)
    far.send(b"x")
    assert readiness.wait(Cancellation())
    readiness.close()


def test_a_socket_whose_peer_closed_is_ready(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    readiness = Readiness(near.fileno(), LONG)
    far.close()
    assert readiness.wait(Cancellation())
    readiness.close()


def test_a_silent_socket_is_not_ready_when_the_time_is_over_but_may_be_later(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, far = pair
    readiness = Readiness(near.fileno(), SHORT)
    assert not readiness.wait(Cancellation())
    assert not readiness.wait(Cancellation())
    far.send(b"x")
    # The time may be over in the same turn of the loop that sees the byte, which only costs another wait.
    assert any(readiness.wait(Cancellation()) for _ in range(1000))
    readiness.close()


def test_every_wait_in_silence_takes_its_whole_time(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    readiness = Readiness(near.fileno(), 0.05)
    gevent.spawn_later(0.03, far.send, b"x")
    while not readiness.wait(Cancellation()):  # over before its time, unless the machine is very slow
        pass
    near.recv(1)
    began = monotonic()
    assert [readiness.wait(Cancellation()) for _ in range(3)] == [False] * 3
    assert monotonic() - began > 0.14
    readiness.close()


def test_waiting_for_a_socket_can_be_cancelled(pair: tuple[socket.socket, socket.socket]) -> None:
    readiness = Readiness(pair[0].fileno(), LONG)
    assert isinstance(cancelled(readiness.wait), ClientGone)
    assert isinstance(cancelled(readiness.wait), ClientGone), "and the watcher is as good as before"
    readiness.close()


def test_a_greenlet_that_ends_is_joined() -> None:
    assert join(gevent.spawn(lambda: None), LONG, Cancellation())


def test_a_greenlet_that_failed_is_joined() -> None:
    def fail() -> None:
        raise gevent.GreenletExit

    assert join(gevent.spawn(fail), LONG, Cancellation())


def test_a_greenlet_that_still_runs_is_not_joined() -> None:
    end = Event()
    task = gevent.spawn(end.wait)
    assert not join(task, SHORT, Cancellation())
    end.set()
    assert join(task, LONG, Cancellation())


def test_waiting_for_a_greenlet_can_be_cancelled_and_leaves_it_running() -> None:
    end = Event()
    task = gevent.spawn(end.wait)
    assert isinstance(cancelled(lambda cancel: join(task, LONG, cancel)), ClientGone)
    assert not task.dead
    end.set()
    task.join(10)


def test_a_pause_passes() -> None:
    pause(SHORT, Cancellation())


def test_a_pause_can_be_cancelled() -> None:
    assert isinstance(cancelled(lambda cancel: pause(LONG, cancel)), ClientGone)


@pytest.mark.parametrize(
    "wait", [lambda cancel: pause(LONG, cancel), lambda cancel: join(gevent.Greenlet(), LONG, cancel)]
)
def test_what_is_cancelled_already_does_not_begin_to_wait(wait: Callable[[Cancellation], object]) -> None:
    cancel = Cancellation()
    cancel.cancel(ClientGone("gone"))
    with pytest.raises(ClientGone):
        wait(cancel)
