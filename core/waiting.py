"""Waits in a greenlet for a socket, another greenlet or a while, so that the wait can be cancelled."""

from typing import Any

from gevent import Greenlet, get_hub
from gevent.hub import Waiter

from core.cancel import Cancellation

_READABLE = "readable"
_PASSED = "passed"


class Readiness:
    """Waits for one socket to become readable, as often as asked; made once a stream, because making watchers costs."""

    __slots__ = ("_hub", "_io", "_timer")

    def __init__(self, fileno: int, seconds: float) -> None:
        self._hub = get_hub()
        self._io = self._hub.loop.io(fileno, 1)
        self._timer = self._hub.loop.timer(seconds, seconds)

    def wait(self, cancel: Cancellation) -> bool:
        """True when there is something to read, False when the seconds have passed without."""
        waiter: Any = Waiter(self._hub)
        cancel.begin_wait()
        self._io.start(waiter.switch, _READABLE)
        # Not `start`: a libev timer that was stopped goes on with what was left of its time, which may be nothing.
        self._timer.again(waiter.switch, _PASSED)
        try:
            return waiter.get() is _READABLE
        finally:
            cancel.end_wait()
            self._io.stop()
            self._timer.stop()

    def close(self) -> None:
        """Let go of the socket."""
        self._io.close()
        self._timer.close()


def join(task: "Greenlet[..., Any]", seconds: float, cancel: Cancellation) -> bool:
    """Wait for `task` to end; False when the seconds have passed first."""
    cancel.begin_wait()
    try:
        task.join(timeout=seconds)
    finally:
        cancel.end_wait()
    return bool(task.dead)


def pause(seconds: float, cancel: Cancellation) -> None:
    """Let `seconds` pass."""
    waiter: Any = Waiter(get_hub())
    cancel.begin_wait()
    timer = get_hub().loop.timer(seconds)
    timer.start(waiter.switch, _PASSED)
    try:
        waiter.get()
    finally:
        cancel.end_wait()
        timer.close()
