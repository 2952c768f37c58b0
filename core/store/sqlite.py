"""Records in a SQLite file (https://sqlite.org/wal.html)."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreUnavailable
from core.store.base import Record, Span
from core.store.encoding import decode, encode

_BUSY_MS = 2000
_SCHEMA = "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (kind, key))"
_COLUMNS = "SELECT kind, key, value FROM records LIMIT 0"
_GET = "SELECT value FROM records WHERE kind = ? AND key = ?"
_ALL = "SELECT key, value FROM records WHERE kind = ? ORDER BY key"
_PUT = "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value"
_DELETE = "DELETE FROM records WHERE kind = ? AND key = ?"
_PAGE = "SELECT key, value FROM records WHERE kind = ? AND key > ? AND (? = '' OR key < ?) ORDER BY key LIMIT ?"
_BACK = "SELECT key, value FROM records WHERE kind = ? AND key > ? AND (? = '' OR key < ?) ORDER BY key DESC LIMIT ?"
_PRUNE = """DELETE FROM records WHERE kind = ?1 AND key IN
    (SELECT key FROM records WHERE kind = ?1 AND key < ?2 ORDER BY key LIMIT ?3)"""
_DROP = "DELETE FROM records WHERE kind = ?"


class SqliteRecords:
    """Records that are committed when a call returns, so a kill -9 of the process loses none.

    One connection serves all threads, one at a time. Open it in the process that uses it: a connection must not be
    carried over a fork. Other processes may use the same file. Every method raises StoreUnavailable when the file
    cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file, with its folder; raises ValueError naming the path when that cannot be done."""
        self._path = path
        self._mutex = threading.Lock()
        try:
            self._connection = _open(path)
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"the data file {path} cannot be used: {error}") from error

    def get(self, kind: str, key: str) -> Record | None:
        """The record, or None."""
        with self._using() as connection:
            row = connection.execute(_GET, (kind, key)).fetchone()
        return None if row is None else decode(kind, key, row[0])

    def all(self, kind: str) -> dict[str, Record]:
        """Every record of the kind, by key."""
        with self._using() as connection:
            rows = connection.execute(_ALL, (kind,)).fetchall()
        return {key: decode(kind, key, value) for key, value in rows}

    def put(self, kind: str, key: str, value: Record) -> None:
        """Write the record, replacing what was there."""
        data = encode(value)
        with self._using() as connection:
            connection.execute(_PUT, (kind, key, data))

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        """Replace the record by `edit` of what is there now; no other process writes in between."""
        with self._using() as connection, _transaction(connection):
            row = connection.execute(_GET, (kind, key)).fetchone()
            value = edit(None if row is None else decode(kind, key, row[0]))
            connection.execute(_PUT, (kind, key, encode(value)))
        return value

    def delete(self, kind: str, key: str) -> bool:
        """Remove the record; False when there was none."""
        with self._using() as connection:
            return connection.execute(_DELETE, (kind, key)).rowcount > 0

    def page(self, kind: str, span: Span) -> list[tuple[str, Record]]:
        """The records of a stretch of keys, in the order of their keys' bytes."""
        bounds = (kind, span.after, span.before, span.before, span.limit)
        with self._using() as connection:
            rows = connection.execute(_BACK if span.backwards else _PAGE, bounds).fetchall()
        return [(key, decode(kind, key, value)) for key, value in rows]

    def put_all(self, kind: str, values: Mapping[str, Record]) -> None:
        """Write all of these, together."""
        rows = [(kind, key, encode(value)) for key, value in values.items()]
        with self._using() as connection, _transaction(connection):
            connection.executemany(_PUT, rows)

    def prune(self, kind: str, before: str, limit: int) -> int:
        """Remove up to `limit` records, the first ones, whose keys stand before `before`; how many those were."""
        with self._using() as connection:
            return connection.execute(_PRUNE, (kind, before, limit)).rowcount

    def drop(self, kind: str) -> None:
        """Remove every record of the kind."""
        with self._using() as connection:
            connection.execute(_DROP, (kind,))

    def ping(self) -> bool:
        """True when the file answers now."""
        try:
            with self._using() as connection:
                connection.execute("SELECT 1 FROM records LIMIT 1").fetchone()
        except StoreUnavailable:
            return False
        return True

    def close(self) -> None:
        """Let go of the file; the write-ahead log is folded into it."""
        with self._mutex:
            self._connection.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise StoreUnavailable("the data file cannot be used now") from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_SCHEMA)
        # A table of that name may stand there already and be somebody else's.
        connection.execute(_COLUMNS)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A failed COMMIT may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
