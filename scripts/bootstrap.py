"""Fills .venv with what a lock file names, using nothing but the standard library of Python 3.11 or newer."""

import argparse
import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Debian and Ubuntu ship python3 without pip and ensurepip, so the unmodified wheel of pip comes with the project.
PIP = ROOT / "scripts" / "pip-26.3-py3-none-any.whl" / "pip"
LOCKS = {
    "runtime": "requirements.txt",
    "otel": "requirements-otel.txt",
    "dev": "requirements-dev.txt",
    "clients": "requirements-clients.txt",
}
# Each lock holds every package of those it includes, in the same version.
INCLUDES = {
    "runtime": ("runtime",),
    "otel": ("runtime", "otel"),
    "dev": ("runtime", "otel", "dev"),
    "clients": ("runtime", "otel", "dev", "clients"),
}


class SetupFailed(Exception):
    """Says in one line what the person at the terminal can do."""


def main(arguments: list[str]) -> int:
    """Install the set named by the only argument, unless it is there; 0 when it is, 1 with one line why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=LOCKS)
    name = parser.parse_args(arguments).name
    try:
        # Two terminals may run make at once; the lock is held on a file that is always there, until the process ends.
        with Path(__file__).open("rb") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            ensure(name)
    except SetupFailed as error:
        say(str(error))
        return 1
    return 0


def ensure(name: str) -> None:
    """Make .venv hold the set `name`, doing nothing when its lock file has not changed since."""
    if environment_version() != sys.version:
        create_environment()
    lock = (ROOT / LOCKS[name]).read_bytes()
    if stamp(name).is_file() and stamp(name).read_bytes() == lock:
        return
    install(name)
    for included in INCLUDES[name]:
        stamp(included).write_bytes((ROOT / LOCKS[included]).read_bytes())


def stamp(name: str) -> Path:
    """The copy of the lock file that was installed last; its content tells, because a checkout changes every mtime."""
    return VENV / f"installed-{LOCKS[name]}"


def environment_version() -> str | None:
    """What the interpreter in .venv says it is, or None when there is none that runs."""
    try:
        answer = run([str(PYTHON), "-Ic", "import sys; print(sys.version, end='')"], capture_output=True)
    except OSError:
        return None
    return answer.stdout.decode() if answer.returncode == 0 else None


def create_environment() -> None:
    """Make .venv anew, without pip."""
    say(f"Making .venv with Python {sys.version.split()[0]}")
    try:
        import venv
    except ImportError:
        raise SetupFailed("This Python has no venv module. On Debian or Ubuntu: apt install python3-venv") from None
    try:
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupFailed(f"{VENV} cannot be made: {error}") from error


def install(name: str) -> None:
    """Install the lock file: wheels only, so that nothing is compiled or run; each checked against its hash."""
    say(f"Installing {LOCKS[name]} into .venv")
    for existing in LOCKS:
        stamp(existing).unlink(missing_ok=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-user"]
    command = [str(PYTHON), "-I", str(PIP), "install", *options, "--require-hashes", "--only-binary", ":all:"]
    if run([*command, "-r", str(ROOT / LOCKS[name])]).returncode != 0:
        raise SetupFailed(f"{LOCKS[name]} could not be installed; pip says why above. The next make tries again.")


def say(line: str) -> None:
    """Tell the person at the terminal, leaving standard output to the program that follows."""
    sys.stderr.write(f"{line}\n")


def run(command: list[str], *, capture_output: bool = False) -> subprocess.CompletedProcess[bytes]:
    """Run a command of our own making."""
    return subprocess.run(command, capture_output=capture_output, check=False)  # noqa: S603 - no word of it is foreign


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
