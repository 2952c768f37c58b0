"""What the containers of docker-compose.prod.yml run, without containers: the same commands with the same rights."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from ruamel.yaml import YAML

from tests.certificates import own_certificate
from tests.gateway import ROOT, eventually
from tests.nginx_server import CONFIG, nginx_program, render, tls_lines
from tests.ports import free_port
from tests.redis_server import redis_binary

SERVICES: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "docker-compose.prod.yml")["services"]
PASSWORD = "letters-and-digits-0123456789"
SOMEBODY = 12345


def put_in(text: str, changes: dict[str, str]) -> str:
    """The text with each of these put in the place of what stands there, once or more."""
    for shipped, wanted in changes.items():
        assert shipped in text
        text = text.replace(shipped, wanted)
    return text


def test_redis_has_its_password_hides_it_keeps_what_it_is_told_and_hears_signals(tmp_path: Path) -> None:
    (tmp_path / "redis_password").write_text(f"{PASSWORD}\n")
    port = free_port()
    shell, options, script = SERVICES["redis"]["command"]
    changes = {
        "$$": "$",
        "/run/secrets": str(tmp_path),
        "--dir /data": f"--dir {tmp_path} --port {port} --bind 127.0.0.1",
        "redis-server": redis_binary(),
    }
    command = [shell, options, put_in(script, changes)]

    def client(password: str | None) -> "redis.Redis":
        return redis.Redis(port=port, password=password)

    def answers() -> bool:
        try:
            return bool(client(PASSWORD).ping())
        except redis.RedisError:
            return False

    for count in (1, 2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            assert eventually(answers)
            with pytest.raises(redis.AuthenticationError):
                client(None).ping()
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert b"redis-server" in shown, "the shell has made way for it, so that signals reach it"
            assert PASSWORD.encode() not in shown
            assert client(PASSWORD).incr("starts") == count
            assert client(PASSWORD).config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder with nginx's configuration, whose certificate belongs to somebody else and is for nobody's eyes."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("rights can be taken away by root only, with setpriv: those of nginx in compose are NOT tried")
    tmp_path.chmod(0o755)
    (tmp_path / "nginx.conf").write_text(render(CONFIG.read_text(), tmp_path, free_port(), [9]))
    certificate = own_certificate(tmp_path)
    folder = tmp_path / "tls"
    folder.mkdir()
    (folder / "tls.conf").write_text(tls_lines(CONFIG.read_text(), free_port()))
    for source, name in zip(certificate, ("fullchain.pem", "privkey.pem"), strict=True):
        shutil.move(source, folder / name)
        (folder / name).chmod(0o400)
        os.chown(folder / name, SOMEBODY, SOMEBODY)
    os.chown(folder, SOMEBODY, SOMEBODY)
    folder.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize(("missing", "reads"), [(None, True), ("DAC_READ_SEARCH", False)])
def test_nginx_reads_its_certificate_with_the_rights_it_has(sealed: Path, missing: str | None, reads: bool) -> None:
    service = SERVICES["nginx"]
    rights = [f"+{name.lower()}" for name in service["cap_add"] if name != missing]
    alone = ["setpriv", f"--bounding-set={','.join(['-all', *rights])}", "--no-new-privs"]
    nginx = [nginx_program(), "-t", "-e", "stderr", "-p", str(sealed), "-c", str(sealed / "nginx.conf")]
    told = subprocess.run([*alone, *nginx, "-g", f"pid {sealed}/pid;"], text=True, capture_output=True, check=False)
    assert (told.returncode == 0) == reads, told.stderr
    assert ("ermission denied" in told.stderr) == (not reads)
