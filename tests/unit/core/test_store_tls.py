"""Encrypted connections to a real redis, and whom they trust."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import StoreSettings
from core.store.base import Window
from core.store.redis import RedisStore
from tests.certificates import own_certificate
from tests.ports import free_port
from tests.redis_server import RedisServer, redis_binary


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """The server's certificate, and its key."""
    return own_certificate(tmp_path)


@pytest.fixture
def port(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Where a redis takes encrypted connections, of clients that have a certificate themselves."""
    files = ["--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1])]
    files += ["--tls-ca-cert-file", str(certificate[0])]
    command = [redis_binary(), "--tls-port", "0", "--port", "0", "--no-such-option", "1"]
    if "tls-port" in subprocess.run(command, capture_output=True, text=True, check=False).stderr:
        pytest.skip("this redis-server was built without TLS")
    port = free_port()
    with RedisServer(tmp_path, "--tls-port", str(port), *files):
        yield port


def settings(port: int, certificate: tuple[Path, Path], **more: object) -> StoreSettings:
    cert, key = certificate
    url = f"rediss://127.0.0.1:{port}/0?ssl_certfile={cert}&ssl_keyfile={key}"
    return StoreSettings.model_validate({"redis_url": url, "timeout": 5, **more})


def test_a_server_is_trusted_by_the_certificates_of_the_file(port: int, certificate: tuple[Path, Path]) -> None:
    with closing(RedisStore(settings(port, certificate, ca_file=certificate[0]))) as store:
        assert store.ping()
        assert store.counters.take([Window("k", 1, 60)], 1_795_000_000.0).granted


def test_a_server_whom_nobody_vouches_for_is_not_spoken_to(port: int, certificate: tuple[Path, Path]) -> None:
    with closing(RedisStore(settings(port, certificate))) as store:
        assert not store.ping()
