"""What docker-compose.prod.yml promises, read from the file itself."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from config.gunicorn_worker import FAREWELL_SECONDS
from config.loader import load
from config.serving import gunicorn_options

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.prod.yml"
TEXT = FILE.read_text()
STACK: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
HEAD = TEXT[: TEXT.index("\nname:")]
MADE_BY_THE_OWNER = {"./tls": "secrets tls"}
"""What is mounted and not in the repository, and how the file's head says that it is made."""


def test_three_small_replicas_of_one_worker_share_a_redis() -> None:
    gateway = SERVICES["gateway"]
    assert gateway["deploy"]["replicas"] == 3
    assert gateway["deploy"]["resources"]["limits"] == {"cpus": "0.5", "memory": "512M"}
    assert gateway["environment"]["WORKERS"] == "1"
    assert gateway["environment"]["REDIS_URL"] == "redis://redis:6379/0"
    assert SERVICES["redis"]["networks"] == ["back"]


def test_nothing_is_reached_from_outside_but_nginx_and_a_page_for_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items() if service.get("ports")}
    assert ports == {"nginx": ["80:80", "443:443"], "grafana": ["127.0.0.1:3000:3000"]}
    assert not [name for name, service in SERVICES.items() if service.get("network_mode")]
    assert STACK["networks"]["back"] == {"internal": True}
    assert set(SERVICES["nginx"]["networks"]).isdisjoint(SERVICES["redis"]["networks"])


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "grafana"])
def test_every_root_is_read_only_and_no_process_gains_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_service_comes_back_and_its_log_does_not_fill_the_disk() -> None:
    for service in SERVICES.values():
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"] == {"max-size": "100m", "max-file": "5"}


def test_memory_is_bounded_and_redis_says_what_it_does_when_full() -> None:
    command = SERVICES["redis"]["command"][-1]
    assert "--maxmemory 384mb --maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command
    assert SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"] == "768M"
    assert "drops nothing" in HEAD
    assert [name for name, service in SERVICES.items() if "deploy" not in service] == ["nginx"]


def test_a_service_starts_when_what_it_needs_is_healthy() -> None:
    assert SERVICES["gateway"]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert SERVICES["nginx"]["depends_on"] == {"gateway": {"condition": "service_healthy"}}
    for name in ("nginx", "redis"):
        assert {"test", "interval", "timeout", "retries"} <= SERVICES[name]["healthcheck"].keys()
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()


def test_a_stop_leaves_running_streams_all_the_time_they_have(tmp_path: Path) -> None:
    settings = load({"REDIS_URL": "redis://redis:6379/0"}, tmp_path)
    longest = gunicorn_options(settings)["graceful_timeout"]
    assert longest > settings.server.drain_seconds + settings.server.shutdown_seconds + FAREWELL_SECONDS
    for name in ("gateway", "nginx"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > longest
    assert SERVICES["nginx"]["stop_signal"] == "SIGQUIT", "the signal on which nginx lets streams end"


def test_nginx_lets_go_of_idle_connections_before_a_replica_does(tmp_path: Path) -> None:
    upstream = (ROOT / "nginx.conf").read_text().split("upstream gateway {")[1].split("}")[0]
    (kept,) = [line.split()[1] for line in upstream.splitlines() if line.strip().startswith("keepalive_timeout")]
    assert float(kept.removesuffix("s;")) < load({}, tmp_path).server.drain_seconds


def test_every_secret_is_a_file_that_the_head_says_how_to_make() -> None:
    files = {name: entry["file"] for name, entry in STACK["secrets"].items()}
    assert files == {name: f"./secrets/{name}" for name in files}
    for name in files:
        assert f"secrets/{name}" in HEAD or f"secrets/{name}" in TEXT[TEXT.index("# Needs two more files") :]
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == set(files)
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_no_secret_stands_in_an_environment_or_a_command() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], name
            else:
                assert not any(word in name for word in ("PASSWORD", "KEY", "TOKEN", "SECRET")) or "__FILE" in name
    assert "${" not in TEXT


def test_the_gateway_takes_its_secrets_from_the_files_it_is_pointed_at(tmp_path: Path) -> None:
    contents = {
        "redis_password": "p4ss\n",
        "gateway_api_keys": "alice:key-of-alice:admin\nbob:key-of-bob\n",
        "glm_api_key": "a.1\nb.2\n",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    environment = {
        name: str(value).replace("/run/secrets", str(tmp_path))
        for name, value in SERVICES["gateway"]["environment"].items()
    }
    settings = load(environment, tmp_path)
    assert settings.store.redis_url is not None
    assert settings.store.redis_url.get_secret_value() == "redis://:p4ss@redis:6379/0"
    assert [key.name for key in settings.access.keys] == ["alice", "bob"]
    assert [key.get_secret_value() for key in settings.providers["glm"].api_keys] == ["a.1", "b.2"]


def mounts() -> list[str]:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    return [volume.split(":")[0] for volume in volumes if volume.startswith(("./", "/"))]


@pytest.mark.parametrize("source", mounts())
def test_everything_mounted_exists_or_is_said_to_be_made(source: str) -> None:
    assert (ROOT / source).exists() or MADE_BY_THE_OWNER[source] in HEAD


def test_what_is_read_again_while_it_runs_is_mounted_by_its_folder() -> None:
    paths = re.findall(r"# (?:CONFIG_FILE|TOKEN_FILE): (\S+)", TEXT)
    (source, target) = re.findall(r"# +- \./(\S+):(\S+):ro", TEXT)[0]
    assert len(paths) == 2
    assert {str(Path(path).parent) for path in paths} == {target}
    assert f"/{source}/" in (ROOT / ".gitignore").read_text().splitlines()
    (rules,) = [volume for volume in SERVICES["prometheus"]["volumes"] if "/etc/prometheus" in volume]
    assert (ROOT / rules.split(":")[0]).is_dir()


def test_named_volumes_and_networks_are_declared() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= STACK["networks"].keys()
        named = {volume.split(":")[0] for volume in service.get("volumes", ()) if not volume.startswith(("./", "/"))}
        assert named <= STACK["volumes"].keys()
