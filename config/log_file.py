"""A log file that several processes write and rotate."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LogFile:
    """Appends to `path`, which is renamed to `path.1` (and that to `path.2` …) before it would outgrow `max_bytes`.

    No write is torn or lost, whichever of the processes rotates: every write holds a lock on `path.lock`. A write
    larger than `max_bytes` gets a file of its own. At most `backup_count` old files are kept; with 0 the file starts
    again empty. A file that somebody else moved or deleted is opened anew. Parents are created.
    """

    def __init__(self, path: Path, max_bytes: int, backup_count: int) -> None:
        self._path = path.absolute()
        self._max_bytes = max_bytes
        self._backup_count = backup_count
        self._file = self._lock = -1
        self._start()

    def write(self, data: bytes) -> None:
        """Append `data` in one piece; raises OSError when the file cannot be written."""
        if self._pid != os.getpid():
            # A forked child shares its parent's lock, so that it would lock nobody out.
            self.close()
            self._start()
        with self._mutex, self._locked():
            size = self._open_current()
            if size and size + len(data) > self._max_bytes:
                self._rotate()
                self._open_current()
            write_all(self._file, data)

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _start(self) -> None:
        self._pid = os.getpid()
        self._mutex = threading.Lock()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._path.with_name(self._path.name + ".lock"), _FLAGS, 0o640)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _open_current(self) -> int:
        """Make sure that the open file is the one at the path; return its size in bytes."""
        if self._file >= 0:
            open_one = os.fstat(self._file)
            if _identity(self._path) == (open_one.st_dev, open_one.st_ino):
                return open_one.st_size
            os.close(self._file)
            self._file = -1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, _FLAGS, 0o640)
        return os.fstat(self._file).st_size

    def _rotate(self) -> None:
        names = [
            self._path,
            *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._backup_count + 1)),
        ]
        names[-1].unlink(missing_ok=True)
        for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
            if newer.exists():
                newer.rename(older)


_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; raises OSError when that fails."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
