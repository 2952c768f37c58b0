"""A real nginx with the shipped configuration, on loopback, for tests."""

import http.client
import os
import re
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


def tls_lines(config: str, port: int) -> str:
    """What the shipped configuration says is to be written into tls/tls.conf, for that port."""
    (block,) = re.findall(r"and these lines into it:\n((?: +#  .*\n)+)", config)
    lines = "\n".join(line.strip().removeprefix("#").strip() for line in block.splitlines())
    assert lines.count("listen 443 ssl;") == 1
    lines = lines.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    if _version() < (1, 25, 1):
        # Written otherwise until then.
        lines = lines.replace(" ssl;", " ssl http2;", 1).replace("http2 on;", "", 1)
    return lines


def _version() -> tuple[int, ...]:
    said = subprocess.run([nginx_program(), "-v"], text=True, capture_output=True, check=True).stderr
    return tuple(int(part) for part in re.findall(r"\d+", said)[:3])


class Nginx:
    """A running nginx with the shipped configuration; leaving the context ends it.

    With `certificate`, a certificate and its key, it speaks TLS at `secure_url` as well.
    """

    def __init__(
        self,
        directory: Path,
        *upstreams: int,
        times: Mapping[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        # nginx takes over sockets that listen already: no race for a port, and no waiting until it is ready.
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as secure:
            self.port: int = listener.getsockname()[1]
            self.secure_url = f"https://127.0.0.1:{secure.getsockname()[1]}"
            inherited = [listener.fileno()]
            (directory / "tls").mkdir()
            (directory / "tls/tls.conf").touch()
            if certificate is not None:
                inherited.append(secure.fileno())
                (directory / "tls/tls.conf").write_text(tls_lines(CONFIG.read_text(), secure.getsockname()[1]))
                for source, name in zip(certificate, ("fullchain.pem", "privkey.pem"), strict=True):
                    shutil.copy(source, directory / "tls" / name)
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
                    pass_fds=inherited,
                    env={"NGINX": "".join(f"{one};" for one in inherited)},
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
