"""Builds images and runs them without a container engine: by buildah, namespaces and a chroot. Needs root on Debian."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/python:3.11-slim"
IMAGE = "localhost/glm-gateway:test"
NEEDED = ("buildah", "debootstrap", "unshare", "nsenter")
OWN_MIRRORS = (Path("/etc/pip.conf"), Path("/etc/ssl/certs"))
"""Where a machine says which package index it uses, and whom it trusts: taken along into the build."""
RELEASE = "bookworm"
"""The Debian whose own Python is a 3.11."""
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
BIND_ROOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
mount -t proc proc "$1/proc"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$1/tmp"
mount -t tmpfs -o size=64m,mode=0700,uid=10001,gid=10001 tmpfs "$1/data"
root=$1 user=$2 folder=$3
shift 3
exec chroot --userspec="$user" "$root" sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
"""As docker-compose.prod.yml has it: a read-only root, and memory at /tmp and /data."""


def require() -> None:
    """Skip where images cannot be built, and say why; fail where nothing may be skipped."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.geteuid() == 0 and not missing:
        return
    reason = f"not on PATH: {', '.join(missing)}" if missing else "only root can do it"
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    give_up(f"the Dockerfile is NOT built and its container not started: {reason} (apt install buildah debootstrap)")


def build() -> None:
    """Build the Dockerfile, on a stand-in for its base where that is not at hand."""
    if not _exists(BASE):
        _make_base()
    mounts = [f"--volume={path}:{path}:ro" for path in OWN_MIRRORS if path.exists()]
    # The format of OCI has no place for a health check.
    how = ("--format=docker", "--isolation=chroot", "--network=host", "--pull-never")
    buildah("bud", *how, *mounts, "--tag", IMAGE, str(ROOT))


def buildah(*arguments: str) -> str:
    """What buildah prints."""
    command = ["buildah", "--storage-driver=vfs", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout.strip()


def _exists(image: str) -> bool:
    command = ["buildah", "--storage-driver=vfs", "inspect", "--type=image", image]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _make_base() -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root)],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        # As the image has it: `python`, and a pip that may install.
        (root / "usr/bin/python").symlink_to("python3")
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        container = buildah("from", "scratch")
        buildah("add", "--quiet", container, str(root), "/")
    path = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    buildah("config", "--env", path, "--cmd", "python3", container)
    buildah("commit", "--quiet", "--rm", container, BASE)


class Container:
    """The built image with its root mounted; `start` runs its command as an engine would."""

    def __init__(self) -> None:
        self._name = buildah("from", "--pull-never", IMAGE)
        self.root = Path(buildah("mount", self._name))
        # Engines make these as they start a container.
        for folder in ("proc", "tmp", "data"):
            (self.root / folder).mkdir(exist_ok=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        document = json.loads(buildah("inspect", "--type=image", IMAGE))
        self.config: dict[str, Any] = document["OCIv1"]["config"]
        self.health: dict[str, Any] = document["Docker"]["config"]["Healthcheck"]

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        buildah("rm", self._name)

    @property
    def environment(self) -> dict[str, str]:
        """What the image says."""
        return dict(entry.split("=", 1) for entry in self.config["Env"])

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        """Its command as process 1 of a namespace of its own, on the machine's network."""
        where = (str(self.root), self.config["User"], self.config["WorkingDir"])
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", BIND_ROOT, "sh", *where]
        return subprocess.Popen(
            [*command, *self.config["Cmd"]],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, process: int, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """One more command inside, as the image's user; `process` is the one that runs there, by its id outside."""
        user, group = self.config["User"].split(":")
        enter = ["nsenter", f"--target={process}", "--mount", "--pid", "--root", "--wd"]
        return subprocess.run(
            [*enter, f"--setuid={user}", f"--setgid={group}", *command],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
