"""How much memory there is, and how much of it is in use."""

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def memory_limit() -> int:
    """In bytes: the container's limit when there is one, else the machine's memory."""
    return _container_limit() or int(psutil.virtual_memory().total)


def memory_share() -> float:
    """What is in use of the container's limit when there is one, else of the machine's memory.

    Files that the kernel merely keeps at hand do not count: it lets go of them before it kills anything.
    """
    limit = _container_limit()
    if limit is not None:
        try:
            return _working_set() / limit
        except (OSError, ValueError):
            pass
    return float(psutil.virtual_memory().percent) / 100


def _container_limit() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
    except OSError:
        return None
    return int(limit) if limit.isdecimal() and int(limit) else None


def _working_set() -> int:
    figures = (line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    inactive = next((int(value) for name, value in figures if name == "inactive_file"), 0)
    return max(0, int((CGROUP / "memory.current").read_text()) - inactive)
