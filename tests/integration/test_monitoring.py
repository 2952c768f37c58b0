"""Alert rules and the dashboard, tried by Prometheus itself on a running gateway."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from app import create_app
from config.settings import ServerSettings, Settings
from services.roles import UNLIMITED
from tests.gateway import ROOT, Gateway, eventually
from tests.integration.conftest import environment
from tests.ports import free_port
from tests.promtool import program
from tests.upstreams.server import Upstream

MONITORING = ROOT / "monitoring"
KEY = "key-of-prometheus"
NAME = re.compile(r"\bglm_[a-z0-9_]+\b")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), *arguments]
    return subprocess.run(command, cwd=MONITORING, text=True, capture_output=True, check=False)


def rules() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe").load(MONITORING / "alerts.yml")["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def queries() -> dict[str, str]:
    """Every query of the rules and of the dashboard, by what it is for."""
    board = json.loads((MONITORING / "grafana/dashboards/gateway.json").read_text())
    found = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


def test_the_rules_are_well_formed_and_fire_when_they_should_and_not_before() -> None:
    assert "SUCCESS" in run("check", "rules", "alerts.yml").stdout
    told = run("test", "rules", "alerts_test.yml")
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_configuration_of_prometheus_is_well_formed(tmp_path: Path) -> None:
    shipped = (MONITORING / "prometheus.yml").read_text()
    assert shipped.count("/run/secrets/metrics_key") == 1
    (tmp_path / "metrics_key").write_text(KEY)
    (tmp_path / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
    (tmp_path / "prometheus.yml").write_text(shipped.replace("/run/secrets/metrics_key", str(tmp_path / "metrics_key")))
    told = run("check", "config", str(tmp_path / "prometheus.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_alert_has_a_severity_and_a_page_in_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert f"\n## {rule['alert']}\n" in runbook
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


DOCKER = """#!/bin/sh
# compose -f FILE exec -T gateway, and then the command
shift 6
exec "$@"
"""


def test_the_runbook_asks_a_replica_that_is_unwell_too(tmp_path: Path) -> None:
    (ask,) = re.findall(r"^ask\(\) .+$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    away = "{kind: openai-compatible, base_url: 'http://127.0.0.1:9/v1', api_key: its.key, models: [m]}"
    (tmp_path / "gateway.yaml").write_text(f"providers:\n  away: {away}\n")
    with Gateway(tmp_path, GATEWAY_API_KEYS=f"me:{KEY}:operator") as gateway:
        headers = {"Authorization": f"Bearer {KEY}"}
        gateway.chat(model="m", headers=headers)
        assert eventually(lambda: gateway.get("/v1/health", headers=headers).status_code == 503)
        paths = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        script = f"{ask.replace('8976', str(gateway.port))}\nask /v1/health; ask /v1/providers/away/reset POST"
        command = ["sh", "-euc", script]
        done = subprocess.run(command, env={"PATH": paths, "KEY": KEY}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        health, reset = map(json.loads, done.stdout.splitlines())
        assert health["status"] == "unhealthy"
        assert reset["name"] == "away"


def test_what_monitoring_asks_is_left_out_of_the_rate_of_errors_and_nothing_else(tmp_path: Path) -> None:
    (rule,) = [rule for rule in rules() if rule["alert"] == "HighErrorRate"]
    (left_out,) = set(re.findall(r'endpoint!~"([^"]+)"', rule["expr"]))
    front = create_app(Settings(server=ServerSettings(data_dir=tmp_path)), start=False)
    asked_by_monitoring = {
        one.rule for one in front.url_map.iter_rules() if one.endpoint in UNLIMITED - {"messages.probe"}
    }
    everything = {one.rule for one in front.url_map.iter_rules()} | {"other"}
    front.extensions["gateway"].close()
    assert {path for path in everything if re.fullmatch(left_out, path)} == asked_by_monitoring | {"other"}


@pytest.fixture(scope="module")
def prometheus(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes a gateway which has been asked a few things."""
    directory = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        settings = environment(
            provider,
            GATEWAY_API_KEYS=f"prometheus:{KEY}:operator",
            GATEWAY__COST_BUDGET__DAILY_LIMIT="100",
            GATEWAY__RESPONSE_CACHE__ENABLED="true",
        )
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("gateway"), **settings))
        headers = {"Authorization": f"Bearer {KEY}"}
        for _ in range(3):
            assert gateway.chat(headers=headers).status_code == 200
        (directory / "key").write_text(KEY)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [
                {
                    "job_name": "gateway",
                    "metrics_path": "/v1/metrics",
                    "authorization": {"credentials_file": str(directory / "key")},
                    "static_configs": [{"targets": [f"127.0.0.1:{gateway.port}"]}],
                }
            ],
        }
        with (directory / "prometheus.yml").open("w") as file:
            YAML(typ="safe").dump(config, file)
        port = free_port()
        command = [
            program("prometheus"),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 20)
        stack.callback(process.kill)
        url = f"http://127.0.0.1:{port}"
        assert eventually(lambda: answered(url, 'up{job="gateway"} == 1'))
        yield url


def answered(url: str, query: str) -> bool:
    """True when the query has a result."""
    try:
        told = requests.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()
    except requests.RequestException:
        return False
    return bool(told.get("data", {}).get("result"))


@pytest.mark.parametrize("name", queries())
def test_every_query_is_understood_and_asks_for_metrics_that_there_are(prometheus: str, name: str) -> None:
    query = queries()[name]
    told = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10).json()
    assert told["status"] == "success", told
    known = requests.get(f"{prometheus}/api/v1/metadata", timeout=10).json()["data"]
    bare = {metric.removesuffix("_total").removesuffix("_bucket") for metric in NAME.findall(query)}
    assert bare <= {metric.removesuffix("_total") for metric in known}


@pytest.mark.parametrize(
    "query",
    [
        "sum(glm_requests_total) >= 3",
        "max(glm_active_tokens) >= 1",
        "glm_memory_used_ratio > 0",
        'glm_budget_used_ratio{scope="global",window="day"} >= 0',
        "sum(glm_time_to_first_token_seconds_count) >= 3",
    ],
)
def test_what_happened_is_seen(prometheus: str, query: str) -> None:
    assert eventually(lambda: answered(prometheus, query))
