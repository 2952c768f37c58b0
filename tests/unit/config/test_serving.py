"""The server runs as the settings say."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from config.serving import gunicorn_arguments
from config.settings import ServerSettings, Settings, StoreSettings
from schemas.codec import loads

ROOT = Path(__file__).resolve().parents[3]
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.url_scheme"].encode()]
"""


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_what_depends_on_settings_is_on_the_command_line():
    server = ServerSettings(host="127.0.0.1", port=81, workers=3, worker_connections=9, shutdown_seconds=1.5)
    arguments = gunicorn_arguments(Settings(server=server, store=StoreSettings(redis_url="redis://h")))
    assert option(arguments, "--bind") == "127.0.0.1:81"
    assert (option(arguments, "--workers"), option(arguments, "--worker-connections")) == ("3", "9")
    assert option(arguments, "--graceful-timeout") == "2"


def test_an_ipv6_host_stands_in_brackets():
    assert option(gunicorn_arguments(Settings(server=ServerSettings(host="::1"))), "--bind") == "[::1]:8976"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "tiny.py").write_text(APP)
    metrics = tmp_path / "gateway-metrics-x"
    metrics.mkdir()
    settings = Settings(server=ServerSettings(host="127.0.0.1", port=0, shutdown_seconds=5))
    command = [sys.executable, "-m", "gunicorn", *gunicorn_arguments(settings), "tiny:app"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    yield process, tmp_path
    if process.poll() is None:
        process.kill()
    process.communicate()


def events_until(process: subprocess.Popen, start: str) -> list[dict]:
    events = []
    for line in process.stdout:
        events.append(loads(line))
        if events[-1]["event"].startswith(start):
            return events
    raise AssertionError((events, process.stderr.read()))


def test_the_server_logs_in_the_gateway_s_form_hides_its_make_and_leaves_nothing_behind(server):
    process, home = server
    listening = events_until(process, "Listening at: ")[-1]
    assert (listening["logger"], listening["level"]) == ("gunicorn.error", "info")
    events_until(process, "Booting worker")
    url = listening["event"].split()[2]
    request = urllib.request.Request(url, headers={"X-Forwarded-Proto": "https"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.headers["Server"] == "glm-gateway"
        assert response.read() == b"http"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == b""
    assert [loads(line)["logger"] for line in out.splitlines()]
    assert sorted(path.name for path in home.iterdir() if path.name != "__pycache__") == ["tiny.py"]
