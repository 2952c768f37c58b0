"""The files in which the workers of one machine share their metrics, which the library never gives up."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

from gevent import sleep

from core.shared_values import SharedValues

LOCK_FILE = "reading"
OF_THE_DEAD = "0"
"""Stands for the process in the names of the files that have what all those had that are gone."""
LIVE = "gauge_live"
LATEST = "gauge_mostrecent"
SUMMED = ("counter", "histogram", "summary")
PATIENCE = 1.0
PAUSE = 0.01


@contextmanager
def being_read(directory: Path) -> Iterator[None]:
    """While the files are read nobody folds them: what is counted twice, or not at all, would look like a restart.

    A process that holds them for long, as it was halted, keeps nobody from reading.
    """
    with (directory / LOCK_FILE).open("a+b") as file:
        for _ in range(int(PATIENCE / PAUSE)):
            if _locked(file.fileno(), LOCK_SH):
                break
            sleep(PAUSE)
        yield


def fold(directory: Path, lives: Callable[[int], bool]) -> int:
    """Add what processes that are gone have counted to one file of each kind, and remove theirs; tell how many.

    Without that a worker that is replaced leaves its files for ever: they fill what holds them, and each reading takes
    longer. Does nothing while somebody reads.
    """
    with (directory / LOCK_FILE).open("a+b") as file:
        if not _locked(file.fileno(), LOCK_EX):
            return 0
        gone = [found for found in directory.glob("*_*.db") if _is_of_the_dead(found, lives)]
        return sum(map(_fold, gone))


def _locked(descriptor: int, how: int) -> bool:
    try:
        # Not lockf, whose locks end for the whole process as soon as one of its readers closes the file.
        flock(descriptor, how | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_of_the_dead(file: Path, lives: Callable[[int], bool]) -> bool:
    kind, _, process = file.stem.rpartition("_")
    known = kind in SUMMED or kind == LATEST or kind.startswith(LIVE)
    return known and process.isdecimal() and process != OF_THE_DEAD and not lives(int(process))


def _fold(file: Path) -> bool:
    """False while the disk has no room for it: it waits, whole."""
    kind = file.stem.rpartition("_")[0]
    if not kind.startswith(LIVE):
        whole = SharedValues(str(file.with_stem(f"{kind}_{OF_THE_DEAD}")))
        with closing(whole):
            if not whole.has_room(file.stat().st_size):
                return False
            _add(kind, file, whole)
    file.unlink(missing_ok=True)
    return True


def _add(kind: str, file: Path, whole: SharedValues) -> None:
    for key, value, timestamp, _ in SharedValues.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
        before, then = whole.read_value(key)  # type: ignore[no-untyped-call] # the library has no types
        if kind in SUMMED:
            whole.write_value(key, before + value, timestamp)  # type: ignore[no-untyped-call] # as above
        elif timestamp >= then:
            whole.write_value(key, value, timestamp)  # type: ignore[no-untyped-call] # as above
