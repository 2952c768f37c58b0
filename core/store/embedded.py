"""The store of a gateway that runs alone."""

from pathlib import Path

from core.store.base import Counters, Records
from core.store.memory import MemoryCounters
from core.store.sqlite import SqliteRecords

FILE_NAME = "gateway.db"


class EmbeddedStore:
    """Counters in this process, records in one SQLite file; needs nothing installed, serves one worker."""

    def __init__(self, data_dir: Path) -> None:
        """Open or create `gateway.db` in `data_dir`; raises ValueError naming the path when that cannot be done."""
        self._counters = MemoryCounters()
        self._records = SqliteRecords(data_dir / FILE_NAME)

    @property
    def counters(self) -> Counters:
        """In this process only."""
        return self._counters

    @property
    def records(self) -> Records:
        """In the file."""
        return self._records

    @property
    def degraded(self) -> bool:
        """Never: there is no shared home to lose."""
        return False

    def expect(self, workers: int) -> None:
        """Of no consequence here."""

    def ping(self) -> bool:
        """True when the file answers now."""
        return self._records.ping()

    def close(self) -> None:
        """Let go of the file."""
        self._records.close()
