"""How much memory there is, and how much of it is in use."""

from pathlib import Path
from typing import NamedTuple

import psutil

CGROUP = Path("/sys/fs/cgroup")


class _Files(NamedTuple):
    """Where the kernel tells a container of its memory; `inactive` is how the figures name files it may let go of."""

    folder: str
    limit: str
    usage: str
    inactive: str


FILES = (
    _Files(".", "memory.max", "memory.current", "inactive_file"),
    _Files("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of the second version of control groups, and of the first, which older systems have."""


def memory_limit() -> int:
    """In bytes: the container's limit when there is one, else the machine's memory."""
    return next((limit for files in FILES if (limit := _limit(files)) is not None), int(psutil.virtual_memory().total))


def memory_share() -> float:
    """What is in use of the container's limit when there is one, else of the machine's memory.

    Files that the kernel merely keeps at hand do not count: it lets go of them before it kills anything.
    """
    for files in FILES:
        limit = _limit(files)
        if limit is not None:
            try:
                return _working_set(files) / limit
            except (OSError, ValueError):
                pass
    return float(psutil.virtual_memory().percent) / 100


def _limit(files: _Files) -> int | None:
    """The container's; None when it has none, which the first version tells by a figure beyond any machine's memory."""
    try:
        told = (CGROUP / files.folder / files.limit).read_text().strip()
    except OSError:
        return None
    limit = int(told) if told.isdecimal() else 0
    return limit if 0 < limit < psutil.virtual_memory().total else None


def _working_set(files: _Files) -> int:
    folder = CGROUP / files.folder
    figures = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
    inactive = next((int(value) for name, value in figures if name == files.inactive), 0)
    return max(0, int((folder / files.usage).read_text()) - inactive)
