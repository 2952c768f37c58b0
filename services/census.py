"""Census: how many workers share the store."""

from collections.abc import Callable, Mapping
from typing import Any

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Record, Store

BEAT_SECONDS = 2.0
GONE_SECONDS = 10.0
KIND = "worker"


class Census:
    """Each worker shows itself every `BEAT_SECONDS`, and tells its store how many did so lately."""

    def __init__(
        self, store: Store, clock: Clock, worker_id: str, tell: Callable[[], Mapping[str, Any]] = dict
    ) -> None:
        """`tell` is what the others may know of this worker."""
        self._store = store
        self._clock = clock
        self._worker_id = worker_id
        self._tell = tell

    def beat(self) -> None:
        """Show this worker, count all of them, and forget those that are gone."""
        now = self._clock.now()
        try:
            self.show()
            seen = {worker: record.get("seen", 0) for worker, record in self._store.records.all(KIND).items()}
            for worker, at in seen.items():
                if at < now - GONE_SECONDS:
                    self._store.records.delete(KIND, worker)
        except StoreUnavailable:
            return
        self._store.expect(sum(at >= now - GONE_SECONDS for at in seen.values()))

    def show(self) -> None:
        """Let the others know of this worker. Raises StoreUnavailable."""
        self._store.records.put(KIND, self._worker_id, {**self._tell(), "seen": self._clock.now()})

    def lately(self) -> dict[str, Record]:
        """What every worker that was seen lately tells of itself, by its id. Raises StoreUnavailable."""
        since = self._clock.now() - GONE_SECONDS
        return {name: one for name, one in self._store.records.all(KIND).items() if one.get("seen", 0) >= since}

    def leave(self) -> None:
        """Be counted no longer."""
        try:
            self._store.records.delete(KIND, self._worker_id)
        except StoreUnavailable:
            return
