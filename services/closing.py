"""Closing: what becomes of readiness, and of the answers under way, when the gateway is to end."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.cancel import Cancellation
from core.errors import ShuttingDown


class Closing:
    """Knows every answer under way, from its first step to its last."""

    def __init__(self) -> None:
        self.draining = False
        self._under_way: set[Cancellation] = set()
        self._ended = False

    def drain(self) -> None:
        """Say from now on that no more requests should be sent here; those that come are answered. Called in a signal's
        handler, so it does no more than that."""
        self.draining = True

    def enter(self, cancel: Cancellation) -> None:
        """An answer has begun."""
        self._under_way.add(cancel)
        if self._ended:
            cancel.cancel(_farewell())

    def leave(self, cancel: Cancellation) -> None:
        """It is over; a second call does nothing."""
        self._under_way.discard(cancel)

    @contextmanager
    def watched(self, cancel: Cancellation) -> Iterator[Cancellation]:
        """What is done meanwhile can be cancelled by that."""
        self.enter(cancel)
        try:
            yield cancel
        finally:
            self.leave(cancel)

    def end(self) -> int:
        """End all answers under way with ShuttingDown, and those that come; returns how many there were."""
        self.draining = self._ended = True
        for cancel in tuple(self._under_way):
            cancel.cancel(_farewell())
        return len(self._under_way)


def _farewell() -> ShuttingDown:
    return ShuttingDown("The gateway is shutting down. Send the request again.", retry_after=1)
