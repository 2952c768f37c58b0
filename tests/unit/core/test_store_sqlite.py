"""What the SQLite file promises beyond the contract."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.errors import StoreUnavailable
from core.store import sqlite
from core.store.embedded import EmbeddedStore
from core.store.sqlite import SqliteRecords

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
import sys
from pathlib import Path
from core.store.sqlite import SqliteRecords
records = SqliteRecords(Path(sys.argv[1]))
for number in range(1_000_000):
    records.put("put", str(number), {"n": number})
    records.change("change", "last", lambda _: {"n": number})
    print(number, flush=True)
"""
ADDER = """
import sys
from pathlib import Path
from core.store.sqlite import SqliteRecords
records = SqliteRecords(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(100):
    records.change("kind", "key", lambda old: {"n": (old or {"n": 0})["n"] + 1})
"""


def python(script: str, path: Path) -> "subprocess.Popen[str]":
    """A process of its own that uses the file."""
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "gateway.db"


@pytest.fixture
def records(path: Path) -> Iterator[SqliteRecords]:
    with closing(SqliteRecords(path)) as opened:
        yield opened


def test_what_was_written_survives_a_kill_9_at_any_moment(path: Path) -> None:
    with python(WRITER, path) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    with closing(SqliteRecords(path)) as again:
        found = again.all("put")
        assert [found[str(number)] for number in told] == [{"n": number} for number in told]
        last = again.get("change", "last")
        assert last is not None
        assert last["n"] >= told[-1]


def test_processes_change_one_record_without_losing_a_change(path: Path, records: SqliteRecords) -> None:
    adders = [python(ADDER, path) for _ in range(2)]
    for adder in adders:
        assert adder.stdout is not None
        assert adder.stdout.readline() == "ready\n"
    for adder in adders:
        adder.communicate("go\n")
        assert adder.returncode == 0
    assert records.get("kind", "key") == {"n": 200}


def test_the_files_are_for_their_owner_only(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    with closing(SqliteRecords(path)) as records:
        records.put("kind", "key", {})
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"gateway.db": 0o600, "gateway.db-wal": 0o600, "gateway.db-shm": 0o600}


def test_closing_leaves_one_whole_file(path: Path, records: SqliteRecords) -> None:
    records.put("kind", "key", {"a": 1})
    records.close()
    assert [file.name for file in path.parent.iterdir()] == ["gateway.db"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, where a folder is wanted")
    with pytest.raises(ValueError, match=str(tmp_path / "data" / "gateway.db")):
        EmbeddedStore(tmp_path / "data")


@contextmanager
def nobody() -> Iterator[None]:
    """Whoever runs the tests, but not as root, who may write everywhere."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with nobody(), pytest.raises(ValueError, match=f"{tmp_path / 'gateway.db'} cannot be used.*Permission denied"):
        EmbeddedStore(tmp_path)


def test_a_folder_in_place_of_the_file_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ValueError, match=str(path)):
        SqliteRecords(path)


def test_a_file_that_is_no_database_is_named_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"the only copy of something else" * 100)
    with pytest.raises(ValueError, match=str(path)):
        SqliteRecords(path)
    assert path.read_bytes() == b"the only copy of something else" * 100


def test_a_database_whose_table_is_not_ours_is_named(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE records (something TEXT)")
    with pytest.raises(ValueError, match=str(path)):
        SqliteRecords(path)


def test_damage_that_shows_later_is_an_error_of_ours(path: Path) -> None:
    with closing(SqliteRecords(path)) as records:
        for number in range(100):
            records.put("kind", str(number), {"text": "x" * 1000})
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    with closing(SqliteRecords(path)) as records:
        with pytest.raises(StoreUnavailable):
            records.all("kind")
        with pytest.raises(StoreUnavailable):
            records.change("kind", "50", lambda _: {})


def test_a_file_that_another_process_keeps_locked_is_an_error_of_ours(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_MS", 1)
    with closing(SqliteRecords(path)) as records, closing(sqlite3.connect(path, isolation_level=None)) as other:
        records.put("kind", "key", {"a": 1})
        other.execute("BEGIN IMMEDIATE")
        for write in (
            lambda: records.put("kind", "key", {}),
            lambda: records.change("kind", "key", lambda _: {}),
            lambda: records.delete("kind", "key"),
        ):
            with pytest.raises(StoreUnavailable):
                write()
        assert records.get("kind", "key") == {"a": 1}, "reading goes on"
        other.execute("ROLLBACK")
        assert records.delete("kind", "key")


def test_after_closing_every_call_is_an_error_of_ours(records: SqliteRecords) -> None:
    records.close()
    with pytest.raises(StoreUnavailable):
        records.get("kind", "key")
    assert not records.ping()
