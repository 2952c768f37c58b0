"""A real nginx with the shipped configuration, on loopback, for tests."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

CONFIG = Path(__file__).resolve().parents[1] / "nginx.conf"
PATIENCE = 20.0


def render(
    config: str, directory: Path, port: int, upstreams: list[int], times: Mapping[str, str] | None = None
) -> str:
    """The shipped configuration with test addresses, and with places for files that need no root.

    Nothing else is changed but what `times` says, so that nobody has to wait for minutes: shipped lines, or parts of
    them, and what to put there. Each of these places must be there exactly once.
    """
    (server,) = [line for line in config.splitlines() if "gateway:8976 resolve" in line]
    servers = [server.replace("gateway:8976 resolve", f"127.0.0.1:{upstream}") for upstream in upstreams]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = [f"    {kind}_temp_path {directory}/{kind};" for kind in kinds]
    changes = {
        "    listen 80;": f"    listen 127.0.0.1:{port};",
        server: "\n".join(servers),
        "http {": "\n".join(["http {", *folders]),
        **(times or {}),
    }
    for shipped, wanted in changes.items():
        assert config.count(shipped) == 1, shipped
        config = config.replace(shipped, wanted)
    return config


def nginx_program() -> str:
    """The path of nginx; without one, a skip that says so, or a failure where nothing may be skipped."""
    program = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if program is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("nginx is neither on PATH nor in /usr/sbin: its configuration is NOT tested (apt install nginx)")
    return program


class Nginx:
    """A running nginx with the shipped configuration; leaving the context ends it."""

    def __init__(self, directory: Path, *upstreams: int, times: Mapping[str, str] | None = None) -> None:
        # nginx takes over a socket that listens already: no race for a port, and no waiting until it is ready.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
            config = directory / "nginx.conf"
            config.write_text(render(CONFIG.read_text(), directory, self.port, list(upstreams), times))
            # Started by root, its workers would become another user, who may not enter pytest's folders.
            user = "user root;" if os.geteuid() == 0 else ""
            directives = f"daemon off; pid {directory}/nginx.pid; {user}"
            command = [nginx_program(), "-e", "stderr", "-p", str(directory), "-c", str(config), "-g", directives]
            self._log_path = directory / "nginx.log"
            with self._log_path.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    pass_fds=[listener.fileno()],
                    env={"NGINX": f"{listener.fileno()};"},
                )
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Nginx":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and wait; may be called twice."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    def reload(self) -> None:
        """Take its configuration anew, as after a change; running answers stay with the old workers."""
        self._process.send_signal(signal.SIGHUP)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log_path.read_text()

    def ask(self, path: str, **options: Any) -> requests.Response:
        """A GET, or a POST when there is a body."""
        method = "POST" if options.keys() & {"data", "json"} else "GET"
        return requests.request(method, self.url + path, timeout=PATIENCE, **options)

    def ask_raw(self, method: str, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body for a request line and headers that are sent exactly as given, without a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.putrequest(method, target)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        try:
            return response.status, response.read()
        finally:
            connection.close()
