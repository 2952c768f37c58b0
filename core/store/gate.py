"""The breaker in front of a shared home of the state."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Overtaken
from core.store.owed import Untried

RETRY_SECONDS = 1.0

T = TypeVar("T")


class Gate:
    """The breaker in front of the home: one failure closes it, and once a second one call may try again.

    That one asks first whether all of the home `answers`, as a part of it may be away still.
    """

    def __init__(self, clock: Clock, answers: Callable[[], bool]) -> None:
        self.degraded = False
        self._clock = clock
        self._answers = answers
        self._retry_at = 0.0
        self._log = structlog.get_logger(__name__)

    def through(self, call: Callable[[], T]) -> T:
        """What `call` returns. Raises StoreUnavailable without waiting while the home is known to be away."""
        now = self._clock.monotonic()
        if self.degraded:
            if now < self._retry_at:
                raise Untried("the shared store cannot be reached")
            # The others go on alone while this one finds out.
            self._retry_at = now + RETRY_SECONDS
            if not self._answers():
                raise Untried("the shared store cannot be reached")
        try:
            result = call()
        except Overtaken:
            self._open()
            raise
        except StoreUnavailable as error:
            self._close(error)
            raise
        self._open()
        return result

    def _open(self) -> None:
        if self.degraded:
            self.degraded = False
            self._log.warning("store_recovered")

    def _close(self, error: StoreUnavailable) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_SECONDS
        if not self.degraded:
            self.degraded = True
            # The kind alone: what the library says may hold an address or a name.
            cause = type(error.__cause__ or error).__name__
            self._log.error("store_degraded", cause=cause, consequence="this process counts alone")
