"""The example for Alertmanager: who is told of what, tried by Alertmanager itself with the labels that alerts have."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from tests.gateway import ROOT, eventually
from tests.ports import free_port
from tests.promtool import program

MONITORING = ROOT / "monitoring"
EXAMPLE = MONITORING / "alertmanager.example.yml"
Labels = dict[str, str]


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def fired() -> list[Labels]:
    """The labels of every alert that promtool has seen fire in alerts_test.yml."""
    cases = [case for test in read(MONITORING / "alerts_test.yml")["tests"] for case in test["alert_rule_test"]]
    return [{"alertname": case["alertname"], **one["exp_labels"]} for case in cases for one in case["exp_alerts"]]


def alert(name: str, **more: str) -> Labels:
    """One of them, with other labels where `more` says so."""
    return next(labels for labels in fired() if labels["alertname"] == name) | more


def test_the_example_is_well_formed() -> None:
    told = subprocess.run([program("amtool"), "check-config", EXAMPLE], text=True, capture_output=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_what_is_critical_pages_and_the_rest_is_a_message() -> None:
    (group,) = read(MONITORING / "alerts.yml")["groups"]
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in group["rules"]}
    assert {labels["alertname"] for labels in fired()} == set(severities)
    for name, severity in severities.items():
        labels = [f"{label}={value}" for label, value in alert(name).items()]
        command = [program("amtool"), "config", "routes", "test", f"--config.file={EXAMPLE}", *labels]
        told = subprocess.run(command, text=True, capture_output=True, check=True)
        assert told.stdout.strip() == {"critical": "pager", "warning": "slack"}[severity], name


@contextmanager
def alertmanager(directory: Path) -> Iterator[str]:
    """The address of one with the example's rules, whose receivers tell nobody."""
    config = read(EXAMPLE)
    config["receivers"] = [{"name": receiver["name"]} for receiver in config["receivers"]]
    with (directory / "alertmanager.yml").open("w") as file:
        YAML(typ="safe").dump(config, file)
    port = free_port()
    command = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        assert eventually(lambda: is_ready(url))
        yield url
    finally:
        process.kill()
        process.wait(20)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=10).ok
    except requests.ConnectionError:
        return False


def silent(url: str, alerts: list[Labels]) -> list[Labels]:
    """Those of the alerts that nobody is told of, as they follow from others."""
    assert requests.post(f"{url}/api/v2/alerts", json=[{"labels": one} for one in alerts], timeout=10).ok
    known = requests.get(f"{url}/api/v2/alerts", timeout=10).json()
    assert len(known) == len(alerts)
    suppressed = [one["labels"] for one in known if one["status"]["inhibitedBy"]]
    return [one for one in alerts if one in suppressed]


def test_of_a_replica_that_is_down_nothing_else_is_told_and_of_the_others_everything(tmp_path: Path) -> None:
    follows = [alert("HighMemory", instance="a"), alert("GatewayConfigRejected", instance="a"), alert("TooFewReplicas")]
    told = [alert("HighMemory", instance="b"), alert("FailoverActive"), alert("StoreDegraded"), alert("HighErrorRate")]
    with alertmanager(tmp_path) as url:
        assert silent(url, [alert("GatewayDown", instance="a"), *follows, *told]) == follows


def test_where_no_replica_is_left_that_is_all_but_what_pages(tmp_path: Path) -> None:
    alerts = [labels for labels in fired() if labels["alertname"] != "GatewayDown"]
    unique = [dict(one) for one in {tuple(labels.items()) for labels in alerts}]
    gone = {name: value for name, value in alert("GatewayDown").items() if name != "instance"}
    with alertmanager(tmp_path) as url:
        assert silent(url, [gone, *unique]) == [one for one in unique if one["severity"] == "warning"]
