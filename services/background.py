"""Background: what is done every few seconds beside the requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from gevent import Greenlet, sleep, spawn

from core.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do, and the seconds between two times."""

    name: str
    seconds: float
    work: Callable[[], object]


class Background:
    """Runs each chore in a greenlet of its own; one that fails is logged and done again the next time."""

    def __init__(self, chores: Sequence[Chore] = ()) -> None:
        self._chores = tuple(chores)
        self._greenlets: dict[str, Greenlet[..., None]] = {}
        self._started = False
        self._without_store: set[str] = set()
        self._log = structlog.get_logger(__name__)

    @property
    def chores(self) -> tuple[Chore, ...]:
        """All that is to be done."""
        return self._chores

    def become(self, chores: Sequence[Chore]) -> None:
        """Do these instead, each where the one of its name was; what is being done now is done to its end."""
        self._chores = tuple(chores)
        if self._started:
            self._follow()

    def start(self) -> None:
        """Begin; a second call does nothing."""
        self._started = True
        self._follow()

    def stop(self) -> None:
        """End every chore where it waits."""
        self._started = False
        for greenlet in self._greenlets.values():
            greenlet.kill(block=False)
        self._greenlets = {}

    def _follow(self) -> None:
        for chore in self._chores:
            if chore.name not in self._greenlets:
                self._greenlets[chore.name] = spawn(self._repeat, chore.name)

    def _repeat(self, name: str) -> None:
        while (chore := self._now(name)) is not None:
            sleep(chore.seconds)
            # Another may stand in its place by now, or none.
            chore = self._now(name)
            if chore is not None:
                self._do(chore)
        del self._greenlets[name]

    def _now(self, name: str) -> Chore | None:
        return next((chore for chore in self._chores if chore.name == name), None)

    def _do(self, chore: Chore) -> None:
        try:
            chore.work()
            self._without_store.discard(chore.name)
        except StoreUnavailable as error:
            # Told once until it is done again: it may be tried every second, for hours, by every worker.
            if chore.name not in self._without_store:
                self._without_store.add(chore.name)
                self._log.error("chore_failed", chore=chore.name, cause=error.message)
        except Exception:  # noqa: BLE001 - a chore that dies silently would stop all sharing
            self._log.exception("chore_failed", chore=chore.name)
