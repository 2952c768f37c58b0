"""What a gateway holds: memory, sockets, greenlets."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.gateway import Gateway, eventually

INSIDE = Path(__file__).resolve().parent / "inside"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Vitals:
    """Of all processes together; `memory` is in bytes, what is shared counted once."""

    memory: int
    sockets: int
    greenlets: int
    workers: int = 1

    def __str__(self) -> str:
        return f"{self.memory / MEGABYTE:.1f} MB, {self.sockets} sockets, {self.greenlets} greenlets"


@contextmanager
def watched(directory: Path, **environment: str) -> Iterator[Gateway]:
    """A running gateway that tells of its greenlets as well."""
    told = directory / "vitals"
    told.mkdir()
    gateway = Gateway(directory, **environment)
    path = os.pathsep.join(filter(None, (str(INSIDE), gateway.environment.get("PYTHONPATH"))))
    gateway.environment |= {"PYTHONPATH": path, "VITALS_DIR": str(told)}
    with gateway:
        yield gateway


def memory_of(gateway: Gateway) -> int:
    """The bytes of all its processes, what they share counted once."""
    assert gateway.process is not None
    return sum(psutil.Process(pid).memory_full_info().pss for pid in (gateway.process.pid, *gateway.workers()))


def vitals(gateway: Gateway) -> Vitals:
    """How it is now."""
    workers = gateway.workers()
    greenlets = sum(_greenlets(Path(gateway.environment["VITALS_DIR"]), worker) for worker in workers)
    sockets = sum(len(psutil.Process(worker).net_connections()) for worker in workers)
    return Vitals(memory_of(gateway), sockets, greenlets, len(workers))


def _greenlets(directory: Path, worker: int) -> int:
    told = directory / str(worker)
    told.unlink(missing_ok=True)
    os.kill(worker, signal.SIGRTMIN)
    assert eventually(told.exists)
    return int(told.read_text())
