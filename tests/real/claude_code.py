"""Claude Code's command line in print mode, kept from everything but the gateway."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.real.kit import KEY, PATIENCE, offline, packages, present
from tests.upstreams.server import Upstream

BINARIES = "node_modules/@anthropic-ai/claude-code-*/claude"


@dataclass(frozen=True)
class Printed:
    """What one run came to."""

    status: int
    output: str
    errors: str


class ClaudeCode:
    """Runs in a home and a working directory of its own; what it asks of any address but 127.0.0.1 is counted."""

    def __init__(self, directory: Path, outside: Upstream) -> None:
        self.work = directory / "work"
        self.work.mkdir()
        self._home = directory / "home"
        self._home.mkdir()
        self._outside = outside

    def ask(self, url: str, prompt: str, *arguments: str, patience: float = PATIENCE, **environment: str) -> Printed:
        """Ask the gateway at `url`; fails when it takes longer than `patience` seconds, or turns elsewhere."""
        command = [str(binary()), "-p", prompt, "--permission-mode", "acceptEdits", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.work,
            env={**self._environment(url), **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            raise AssertionError(f"Claude Code was not done after {patience} s: {output}{errors}") from None
        assert self._outside.accepted_connections == 0, [request.path for request in self._outside.requests]
        return Printed(process.returncode, output.strip(), errors)

    def _environment(self, url: str) -> dict[str, str]:
        return {
            **offline(),
            "HOME": str(self._home),
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HTTP_PROXY": self._outside.url,
            "HTTPS_PROXY": self._outside.url,
        }


def binary() -> Path:
    """The program for this machine, as npm has chosen it."""
    found = sorted(packages().glob(BINARIES))
    return present(found[0] if found else packages() / BINARIES, "Claude Code")
