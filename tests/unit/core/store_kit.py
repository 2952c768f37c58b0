"""A shared home that tests can take away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import StoreUnavailable
from core.store.base import Counters, Records
from core.store.embedded import EmbeddedStore


class Home:
    """A shared home that can be taken `away`, and counts the calls that reach it."""

    degraded = False

    def __init__(self, directory: Path) -> None:
        self._real = EmbeddedStore(directory)
        self.away = False
        self.calls = 0
        self.counters: Counters = Watched(self, self._real.counters)  # type: ignore[assignment] # it passes all on
        self.records: Records = Watched(self, self._real.records)  # type: ignore[assignment] # it passes all on

    def reached(self) -> None:
        self.calls += 1
        if self.away:
            raise StoreUnavailable("away")

    def expect(self, workers: int) -> None: ...

    def save(self) -> None:
        self.reached()

    def measure(self) -> float:
        self.reached()
        return 0.5

    def ping(self) -> bool:
        self.calls += 1
        return not self.away

    def close(self) -> None:
        self._real.close()


class Watched:
    """One half of a home, behind its switch."""

    def __init__(self, home: Home, real: object) -> None:
        self._home = home
        self._real = real

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._home.reached()
            return getattr(self._real, name)(*arguments)

        return call
