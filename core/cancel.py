"""Stops a request from outside, wherever it waits for a provider."""

from gevent import get_hub
from greenlet import getcurrent, greenlet


class Cancellation:
    """One request's stop button: `cancel` may be pressed at any time, and takes effect only where waiting is declared.

    A greenlet between `begin_wait` and `end_wait` has the error raised there at once; one that is elsewhere has it
    raised the next time it begins to wait. Code between two waits (a store command, a lease) is never cut in half.
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
        """Raise `error` in the request, now or when it next waits; the first call wins."""
        if self._error is None:
            self._error = error
            if self._waiter is not None:
                get_hub().loop.run_callback(self._interrupt)

    def begin_wait(self) -> None:
        """Declare that the calling greenlet waits and may be interrupted; raises at once when cancelled already."""
        if self._error is not None:
            raise self._error
        self._waiter = getcurrent()

    def end_wait(self) -> None:
        """Take the declaration back."""
        self._waiter = None

    def _interrupt(self) -> None:
        # Looked up again here: the greenlet may have been woken by its data in the meantime.
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.throw(self._error)
