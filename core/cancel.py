"""Stops a request from outside, wherever it waits for a provider."""

from collections.abc import Iterator
from contextlib import contextmanager

from greenlet import getcurrent, greenlet


class Cancellation:
    """One request's stop button: `cancel` may be pressed at any time, and takes effect only where waiting is declared.

    A greenlet that waits inside `waiting()` has the error raised there at once; one that is elsewhere has it raised the
    next time it begins to wait. Code between two waits (a store command, a lease) is therefore never cut in half.
    """

    __slots__ = ("_error", "_waiter")

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._waiter: greenlet | None = None

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was pressed."""
        return self._error is not None

    def cancel(self, error: Exception) -> None:
        """Raise `error` in the request. Called from the event loop; the first call wins."""
        if self._error is not None:
            return
        self._error = error
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            waiter.throw(error)

    def check(self) -> None:
        """Raise the error if `cancel` was pressed."""
        if self._error is not None:
            raise self._error

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Declare that the calling greenlet waits in here and may be interrupted."""
        self.check()
        self._waiter = getcurrent()
        try:
            yield
        finally:
            self._waiter = None
