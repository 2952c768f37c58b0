"""Background: what is done every few seconds beside the requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from gevent import Greenlet, sleep, spawn


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do, and the seconds between two times."""

    name: str
    seconds: float
    work: Callable[[], object]


class Background:
    """Runs each chore in a greenlet of its own; one that fails is logged and done again the next time."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = tuple(chores)
        self._greenlets: list[Greenlet[..., None]] = []
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if not self._greenlets:
            self._greenlets = [spawn(self._repeat, chore) for chore in self._chores]

    def stop(self) -> None:
        """End every chore where it waits."""
        for greenlet in self._greenlets:
            greenlet.kill(block=False)
        self._greenlets = []

    def _repeat(self, chore: Chore) -> None:
        while True:
            sleep(chore.seconds)
            try:
                chore.work()
            except Exception:  # noqa: BLE001 - a chore that dies silently would stop all sharing
                self._log.exception("chore_failed", chore=chore.name)
