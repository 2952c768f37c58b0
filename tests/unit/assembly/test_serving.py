"""What the server does ahead of itself."""

import shutil
import signal
import subprocess
import sys

import pytest

from tests.gateway import ROOT

STOPPED = """
import os, signal
from assembly.serving import prepare
prepare()
os.kill(os.getpid(), signal.SIGTERM)
print("goes on")
"""


def test_a_container_that_is_stopped_while_it_starts_ends() -> None:
    first = ["unshare", "--map-root-user", "--pid", "--fork"]
    if shutil.which("unshare") is None or subprocess.run([*first, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing may be the first process of its own here: a stop while a container starts is NOT tested")
    command = [*first, sys.executable, "-c", STOPPED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "", "")
