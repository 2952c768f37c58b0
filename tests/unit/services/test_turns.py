"""One process at a time has the turn, and one that dies has it no longer."""

import os
import signal
from pathlib import Path

from services.turns import FileTurn


def child_that_takes(path: Path, *, stays: bool) -> tuple[int, bool]:
    """A process that asks for the turn; its id, and whether it got it. It ends at once, or stays with what it has."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        turn = FileTurn(path)
        os.write(writing, b"y" if turn.take() else b"n")
        if stays:
            signal.pause()
        os._exit(0)
    got = os.read(reading, 1) == b"y"
    os.close(reading)
    os.close(writing)
    return pid, got


def test_one_process_has_it_until_it_leaves(tmp_path: Path) -> None:
    path = tmp_path / "turn"
    ours = FileTurn(path)
    assert ours.take()
    assert ours.take(), "it has it already"
    pid, got = child_that_takes(path, stays=False)
    os.waitpid(pid, 0)
    assert not got
    ours.leave()
    ours.leave()
    pid, got = child_that_takes(path, stays=False)
    os.waitpid(pid, 0)
    assert got


def test_one_that_is_killed_leaves(tmp_path: Path) -> None:
    ours = FileTurn(tmp_path / "turn")
    pid, got = child_that_takes(tmp_path / "turn", stays=True)
    taken_too = ours.take()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert got
    assert not taken_too
    assert ours.take()
    ours.leave()
