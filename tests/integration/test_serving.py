"""`app.py serve` and `check` as a newcomer meets them."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway import KEEP, ROOT, Gateway, chunks_of, eventually, text_of
from tests.ports import free_port


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A gateway with nothing configured."""
    with Gateway(tmp_path_factory.mktemp("simulated")) as gateway:
        yield gateway


def test_without_a_key_a_simulator_answers_and_says_so(simulated: Gateway) -> None:
    assert "SIMULATOR" in simulated.output
    assert simulated.output.startswith("GLM gateway at "), "no warning of a library comes first"
    answer = simulated.chat("Hello there").json()
    assert "simulator" in answer["choices"][0]["message"]["content"]
    streamed = text_of(chunks_of(simulated.chat("Hello there", stream=True)))
    assert streamed == answer["choices"][0]["message"]["content"]


def test_the_examples_of_the_banner_work_as_they_stand(simulated: Gateway, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no curl on the PATH: the examples do not run")
    examples = simulated.output.split("as they stand:")[1].split("With the OpenAI SDK")[0]
    bin_directory = tmp_path / ".venv" / "bin"
    bin_directory.mkdir(parents=True)
    python = bin_directory / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    script = f"set -e\n{examples}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[DONE]") == 1
    assert done.stdout.count('"object":"chat.completion"') == 1
    assert "Hello from Python!" in done.stdout


def test_the_simulator_ends_with_the_gateway(tmp_path: Path) -> None:
    import psutil

    with Gateway(tmp_path) as gateway:
        assert gateway.process is not None
        children = psutil.Process(gateway.process.pid).children()
        (simulator,) = [child for child in children if "demo" in child.cmdline()]
        gateway.kill()
    assert eventually(lambda: not simulator.is_running() or simulator.status() == psutil.STATUS_ZOMBIE)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        (worker,) = gateway.workers()
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: gateway.workers() not in ([], [worker]))
        assert eventually(lambda: gateway._answers())
        assert gateway.chat().status_code == 200


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PORT": "abc"}, "PORT"),
        ({"WORKERS": "4"}, "REDIS_URL"),
        ({"GLM_TIMEOUT": "-1", "LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"DATA_DIR": "/dev/null/x"}, "/dev/null/x"),
        ({"REDIS_URL": "nonsense://x"}, "REDIS_URL"),
    ],
)
def test_what_cannot_work_is_told_before_anything_starts(tmp_path: Path, settings: dict[str, str], told: str) -> None:
    done = run(tmp_path, "serve", **{"PORT": str(free_port()), **settings})
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_who_has_named_a_file_for_a_key_gets_answers_that_are_made_up(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    done = run(tmp_path, "serve", PORT=str(free_port()), GLM_API_KEY_FILE="empty")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("GLM_API_KEY_FILE: no key is there")
    (tmp_path / ".env").write_text("OPENAI_API_KEY=its.key\n")
    with Gateway(tmp_path, GLM_API_KEY_FILE="empty") as gateway:
        assert "SIMULATOR" not in gateway.output, "another provider is used, and this one is not"


def test_the_simulator_is_there_on_demand_whatever_names_a_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a.key\n")
    inherited = {name: os.environ[name] for name in KEEP if name in os.environ}
    environment = {**inherited, "HOST": "127.0.0.1", "PORT": str(free_port()), "GLM_API_KEY_FILE": "key"}
    command = [sys.executable, str(ROOT / "app.py"), "demo"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("GLM gateway at ")
        process.terminate()
        assert "SIMULATOR" in process.stdout.read()


def test_a_port_in_use_is_told(simulated: Gateway, tmp_path: Path) -> None:
    done = run(tmp_path, "serve", HOST="127.0.0.1", PORT=str(simulated.port))
    assert done.returncode == 2
    assert f"Port {simulated.port}" in done.stderr


def test_a_gateway_whose_callers_bring_their_keys_is_ready_healthy_and_has_what_can_be_used(tmp_path: Path) -> None:
    own = "{kind: openai-compatible, auth: passthrough, base_url: 'http://127.0.0.1:9/v1', models: [m]}"
    (tmp_path / "gateway.yaml").write_text(f"providers:\n  theirs: {own}\n")
    with Gateway(tmp_path) as gateway:
        assert gateway.get("/v1/health/ready").status_code == 200
        health = gateway.get("/v1/health")
        assert (health.status_code, health.json()["checks"]["tokens"]["status"]) == (200, "healthy")
        assert eventually(lambda: "\nglm_active_tokens 1.0\n" in gateway.get("/v1/metrics").text)


def test_check_prints_the_configuration_without_secrets(tmp_path: Path) -> None:
    secrets = {"GLM_API_KEY": "abc.topsecret", "GATEWAY_API_KEYS": "me:verysecret:admin"}
    done = run(tmp_path, "check", PORT="9999", **secrets)
    assert done.returncode == 0, done.stderr
    assert "port: 9999" in done.stdout
    assert "topsecret" not in done.stdout
    assert "verysecret" not in done.stdout


def run(directory: Path, command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """One command of the command line, run to its end."""
    inherited = {name: os.environ[name] for name in KEEP if name in os.environ}
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), command],
        cwd=directory, env={**inherited, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
