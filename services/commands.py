"""What the command line does with the store, beside a running gateway or without one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.settings import Settings
from core.clock import SystemClock
from core.store.base import Store
from core.store.opening import open_store
from schemas.spend import UsageColumn
from services.doors import Doors, open_doors
from services.key_book import KeyBook
from services.key_desk import KeyDesk
from services.usage_ledger import UsageLedger, total
from services.usage_period import period_of
from services.usage_table import as_csv, as_text


def at_keys(settings: Settings, by: str, act: Callable[[KeyDesk], str]) -> str:
    """What to print of callers' keys; `by` gives the command. Raises ValueError and GatewayError."""
    clock = SystemClock()
    with _opened(settings) as store:
        return act(KeyDesk(KeyBook(store.records, clock, lambda: store.degraded), clock, by))


def look_at_doors(settings: Settings) -> Doors:
    """How the door stands; a gateway that others can reach and nobody has a key for makes one for its owner."""
    clock = SystemClock()
    with _opened(settings) as store:
        return open_doors(settings, KeyBook(store.records, clock, lambda: store.degraded), clock.now())


def usage_text(
    settings: Settings, since: str | None, until: str | None, columns: tuple[UsageColumn, ...], *, csv: bool
) -> str:
    """What was used and spent. Raises ValueError and StoreUnavailable."""
    clock = SystemClock()
    with _opened(settings) as store:
        ledger = UsageLedger(store.records, clock, settings.usage.retention_days)
        rows = ledger.report(period_of(since, until, clock.now()), columns)
    return as_csv(columns, rows) if csv else as_text(columns, rows, total(rows))


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.store, settings.server.data_dir, SystemClock())
    try:
        yield store
    finally:
        store.close()
