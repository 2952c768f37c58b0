"""The server runs as the settings say."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from config.gunicorn_worker import FAREWELL_SECONDS
from config.serving import gunicorn_options
from config.settings import ServerSettings, Settings, StoreSettings
from schemas.codec import loads

ROOT = Path(__file__).resolve().parents[3]
SERVE = """
import sys
from config.server import Server
from config.settings import ServerSettings, Settings
from config.serving import gunicorn_options

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.url_scheme"].encode()]

settings = Settings(server=ServerSettings(host="127.0.0.1", port=0, drain_seconds=0, shutdown_seconds=5))
Server(settings.server, gunicorn_options(settings), lambda: app).run()
"""


def test_gunicorn_is_told_what_depends_on_settings():
    server = ServerSettings(host="127.0.0.1", port=81, workers=3, worker_connections=9, max_requests=1000)
    options = gunicorn_options(Settings(server=server, store=StoreSettings(redis_url="redis://h")))
    assert options["bind"] == "127.0.0.1:81"
    assert (options["workers"], options["worker_connections"]) == (3, 9)
    assert (options["max_requests"], options["max_requests_jitter"]) == (1000, 100)


def test_a_worker_is_killed_only_when_all_its_times_are_over():
    server = ServerSettings(drain_seconds=2.5, shutdown_seconds=1.2)
    assert gunicorn_options(Settings(server=server))["graceful_timeout"] > 2.5 + 1.2 + FAREWELL_SECONDS


def test_an_ipv6_host_stands_in_brackets():
    assert gunicorn_options(Settings(server=ServerSettings(host="::1")))["bind"] == "[::1]:8976"


def test_workers_retire_only_where_their_successors_know_what_they_knew():
    with pytest.raises(ValueError, match="max_requests needs REDIS_URL"):
        Settings(server=ServerSettings(max_requests=1000))


@pytest.fixture
def server(tmp_path):
    metrics = tmp_path / "gateway-metrics-x"
    metrics.mkdir()
    command = [sys.executable, "-c", SERVE]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
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
    assert list(home.iterdir()) == []
