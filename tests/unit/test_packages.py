"""Packages that tests need are installed where this may be done, and named where it may not."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/packages.sh"


class Machine:
    """A PATH of its own: no servers but those that the system keeps in /usr/sbin."""

    def __init__(self, directory: Path) -> None:
        self._bin, self._log = directory / "bin", directory / "asked"
        self._bin.mkdir()
        for name in ("sh", "env", "true", "touch", "chmod"):
            (self._bin / name).symlink_to(str(shutil.which(name)))

    def add(self, name: str, script: str) -> None:
        """A program of that name."""
        (self._bin / name).write_text(f"#!{self._bin}/sh\n{script}\n")
        (self._bin / name).chmod(0o755)

    def add_apt(self) -> None:
        """An apt-get that notes what it is asked for, and brings redis-server."""
        program = self._bin / "redis-server"
        self.add("apt-get", f'echo "$@" >>{self._log}\ntouch {program}\nchmod 755 {program}')

    def run(self) -> str:
        """What the script says."""
        command = [str(self._bin / "sh"), str(SCRIPT)]
        told = subprocess.run(command, env={"PATH": str(self._bin)}, text=True, capture_output=True, check=True)
        return told.stderr

    @property
    def asked(self) -> list[list[str]]:
        """What apt-get was asked for."""
        return [line.split() for line in self._log.read_text().splitlines()] if self._log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("user", ["root", "one who may become root"])
def test_what_is_missing_is_installed_and_what_is_there_is_not(machine: Machine, user: str) -> None:
    machine.add("id", "echo 0" if user == "root" else "echo 1000")
    machine.add("sudo", '[ "$1" = -n ] && shift && exec "$@"')
    machine.add("promtool", "")
    machine.add_apt()
    said = machine.run()
    update, install = machine.asked
    assert "update" in update
    assert {"redis-server", "prometheus-alertmanager", "buildah"} <= set(install)
    assert "prometheus" not in install
    left = said.splitlines()[-1]
    assert "SKIPPED" in left
    assert "redis-server" not in left, "that one has come"


def test_one_package_that_cannot_be_had_keeps_no_other_from_coming(machine: Machine, tmp_path: Path) -> None:
    machine.add("id", "echo 0")
    come = f"touch {tmp_path}/bin/nginx; chmod 755 {tmp_path}/bin/nginx"
    machine.add("apt-get", f'case "$*" in *buildah*) exit 100;; *" nginx") {come};; esac')
    said = machine.run()
    left = said.splitlines()[-1]
    assert "buildah" in left
    assert "nginx" not in left


def test_a_plain_user_is_told_what_is_left_out_and_asked_for_no_password(machine: Machine) -> None:
    machine.add("id", "echo 1000")
    machine.add("sudo", '[ "$1" = -n ] || exec sleep 60; exit 1')
    machine.add_apt()
    said = machine.run()
    assert machine.asked == []
    assert "SKIPPED" in said
    assert "redis-server" in said


def test_a_machine_without_apt_is_told_the_same(machine: Machine) -> None:
    machine.add("id", "echo 0")
    assert "SKIPPED" in machine.run()


def test_where_nothing_is_missing_nothing_is_done(machine: Machine) -> None:
    for name in ("redis-server", "nginx", "promtool", "amtool", "curl", "buildah", "debootstrap"):
        machine.add(name, "")
    assert machine.run() == ""
