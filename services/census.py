"""Census: how many workers share the store."""

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Store

BEAT_SECONDS = 2.0
GONE_SECONDS = 10.0
KIND = "worker"


class Census:
    """Each worker shows itself every `BEAT_SECONDS`, and tells its store how many did so lately."""

    def __init__(self, store: Store, clock: Clock, worker_id: str) -> None:
        self._store = store
        self._clock = clock
        self._worker_id = worker_id

    def beat(self) -> None:
        """Show this worker, count all of them, and forget those that are gone."""
        now = self._clock.now()
        try:
            self._store.records.put(KIND, self._worker_id, {"seen": now})
            seen = {worker: record.get("seen", 0) for worker, record in self._store.records.all(KIND).items()}
            for worker, at in seen.items():
                if at < now - GONE_SECONDS:
                    self._store.records.delete(KIND, worker)
        except StoreUnavailable:
            return
        self._store.expect(sum(at >= now - GONE_SECONDS for at in seen.values()))

    def leave(self) -> None:
        """Be counted no longer."""
        try:
            self._store.records.delete(KIND, self._worker_id)
        except StoreUnavailable:
            return
