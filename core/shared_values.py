"""The values that a worker shares through a file, which takes its place on the disk ahead of them."""

import mmap
import os
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

INITIAL_BYTES = 65_536
FRAME_BYTES = 32
"""What a value takes beside its name, at most."""
NO_ROOM = (ENOSPC, EDQUOT)


class SharedValues(MmapedDict):
    """A file that is mapped into memory, without holes; on a full disk, memory that no other process sees.

    The library leaves holes, and whoever writes into one that the disk has no room for is ended by SIGBUS: a full
    temporary directory would end every worker, and each that takes its place. Not all metrics are worth that.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self.is_shared = read_mode or _has_room(filename)
        if self.is_shared:
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call] # the library has no types
            return
        _tell(filename)
        descriptor = _memory()
        try:
            super().__init__(f"/proc/self/fd/{descriptor}")  # type: ignore[no-untyped-call] # as above
        finally:
            os.close(descriptor)

    def has_room(self, size: int) -> bool:
        """True when so many bytes more find place in the file, which takes it for them."""
        while self.is_shared and self._used + size > self._capacity:
            self._grow(2 * self._capacity)
        return self.is_shared

    def _init_value(self, key: str) -> None:
        while self._used + len(key.encode()) + FRAME_BYTES > self._capacity:
            self._grow(2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call] # as above

    def _grow(self, size: int) -> None:
        if self.is_shared and not _reserve(self._f.fileno(), size):
            self.is_shared = False
            _tell(self._f.name)
            memory = os.fdopen(_memory(), "a+b")
            memory.write(self._m[: self._used])
            memory.flush()
            self._f.close()
            self._f = memory
        if os.fstat(self._f.fileno()).st_size < size:
            self._f.truncate(size)
        self._m: Any = mmap.mmap(self._f.fileno(), size)
        self._capacity = size


def use_shared_values() -> None:
    """Have the library use these wherever it shares values."""
    values.MmapedDict = SharedValues  # type: ignore[attr-defined] # it offers no other place for that


def _tell(file: str) -> None:
    structlog.get_logger(__name__).error("metrics_not_shared", file=file, reason="no room on its disk")


def _memory() -> int:
    return os.memfd_create("metrics")


def _has_room(filename: str) -> bool:
    """Have the file take its place on the disk; one that cannot is not left behind, as nobody could read it."""
    try:
        descriptor = os.open(filename, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if error.errno in NO_ROOM:
            return False
        raise
    try:
        size = os.fstat(descriptor).st_size
        room = _reserve(descriptor, size or INITIAL_BYTES)
    finally:
        os.close(descriptor)
    if not room and not size:
        Path(filename).unlink(missing_ok=True)
    return room


def _reserve(descriptor: int, size: int) -> bool:
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        # Where a file system knows nothing of it, things are as they would be without.
        return error.errno not in NO_ROOM
    return True
