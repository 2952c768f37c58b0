"""FileTurn: what only one of several processes may have at a time."""

from fcntl import LOCK_EX, LOCK_NB, lockf
from pathlib import Path
from typing import IO


class FileTurn:
    """Held by the lock of a file, which a process that dies lets go of. Among the threads of one process it is one."""

    def __init__(self, path: Path) -> None:
        """The file is made when it is first wanted; nothing is written into it."""
        self._path = path
        self._held: IO[bytes] | None = None

    def take(self) -> bool:
        """True when this process has it now, or had it before."""
        if self._held is not None:
            return True
        file = self._path.open("ab")
        try:
            lockf(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        except BaseException:
            file.close()
            raise
        self._held = file
        return True

    def leave(self) -> None:
        """Another process may have it; does nothing when this one has not."""
        if self._held is not None:
            self._held.close()
            self._held = None
