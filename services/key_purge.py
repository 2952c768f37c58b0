"""Removes callers' keys that have opened nothing for a long time, some at a time."""

import structlog
from pydantic import ValidationError

from core.clock import Clock
from core.store.base import Counters, Record, Records
from schemas.key import StoredKey
from services.known_keys import DIGESTS, KIND

LOCK = "keys:purge"
LOCK_SECONDS = 120.0
BATCH = 100
DAY = 86_400.0


class _Changed(Exception):
    """It is not over any more, or somebody else has removed it."""


class KeyPurge:
    """Forgets keys that were revoked or have expired longer ago than they are to be listed. One worker does it for all.

    Two are never forgotten: the one that the gateway made for its owner, as that is made once only, and the last one
    that a person made, as a gateway without any opens itself to its own machine.
    """

    def __init__(
        self, records: Records, counters: Counters, retention_days: float | None, clock: Clock, worker_id: str
    ) -> None:
        """`retention_days` None keeps all of them."""
        self._records = records
        self._counters = counters
        self._days = retention_days
        self._clock = clock
        self._worker_id = worker_id
        self._log = structlog.get_logger(__name__)

    def run(self) -> int:
        """One batch; how many keys have gone. Raises StoreUnavailable."""
        now = self._clock.now()
        if self._days is None or not self._counters.lock(LOCK, self._worker_id, LOCK_SECONDS, now):
            return 0
        until = now - self._days * DAY
        gone = [key.id for key in self._due(until)[:BATCH] if self._remove(key, until)]
        if gone:
            self._log.info("keys_purged", count=len(gone), key_ids=gone)
        return len(gone)

    def _due(self, until: float) -> list[StoredKey]:
        """Those that ended longest ago come first."""
        made = [key for record in self._records.all(KIND).values() if (key := _read(record)) and not key.bootstrap]
        last = max(made, key=lambda key: (_ended(key) > until, key.created, key.id), default=None)
        return sorted((key for key in made if _ended(key) <= until and key is not last), key=_ended)

    def _remove(self, key: StoredKey, until: float) -> bool:
        def end(record: Record | None) -> Record:
            current = None if record is None else _read(record)
            if current is None or _ended(current) > until:
                raise _Changed
            # A revoked key is changed by nobody any more, so that what is removed is what was looked at.
            return current.model_copy(update={"revoked": _ended(current)}).model_dump(mode="json")

        try:
            ended = StoredKey.model_validate(self._records.change(KIND, key.id, end))
        except _Changed:
            return False
        for secret in ended.secrets:
            self._records.delete(DIGESTS, secret.digest)
        return self._records.delete(KIND, key.id)


def _read(record: Record) -> StoredKey | None:
    try:
        return StoredKey.model_validate(record)
    except ValidationError:
        return None


def _ended(key: StoredKey) -> float:
    """Since when it has opened nothing; infinite while it may."""
    return min(key.expires if key.expires is not None else float("inf"), key.revoked or float("inf"))
