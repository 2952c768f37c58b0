"""The store of a gateway that runs alone."""

from pathlib import Path

import structlog

from core.errors import StoreUnavailable
from core.store.base import Counters, Records
from core.store.memory import MemoryCounters
from core.store.sqlite import SqliteRecords

FILE_NAME = "gateway.db"
KIND = "windows"
"""The records in which fixed windows outlive the process."""


class EmbeddedStore:
    """Counters in this process, records in one SQLite file; needs nothing installed, serves one worker."""

    def __init__(self, data_dir: Path) -> None:
        """Open or create `gateway.db` in `data_dir`; raises ValueError naming the path when that cannot be done."""
        self._counters = MemoryCounters()
        self._records = SqliteRecords(data_dir / FILE_NAME)
        self._saved = self._counters.restore(self._records.all(KIND))

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

    def save(self) -> None:
        """Write the fixed windows that have changed: hours and days outlive a process, minutes need not."""
        told = self._counters.told()
        news = {name: value for name, value in told.items() if self._saved.get(name) != value}
        if news:
            self._records.put_all(KIND, news)
        for name in self._saved.keys() - told.keys():
            self._records.delete(KIND, name)
        self._saved = told

    def measure(self) -> float:
        """Its memory is the process's own, and bounded by numbers."""
        return 0.0

    def ping(self) -> bool:
        """True when the file answers now."""
        return self._records.ping()

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        try:
            self.save()
        except StoreUnavailable:
            structlog.get_logger(__name__).warning("windows_not_saved")
        self._records.close()
