"""The metrics as they are scraped."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.metrics import Metrics
from core.shared_metrics import being_read, fold

ROOT = Path(__file__).resolve().parents[3]
FOLDING = """
import sys
from pathlib import Path
from core.shared_metrics import fold
print(fold(Path(sys.argv[1]), lambda _: False))
"""
READING = """
import sys
from pathlib import Path
from core.shared_metrics import being_read
with being_read(Path(sys.argv[1])):
    print("reading", flush=True)
    sys.stdin.read()
"""
FULL = """
import os, sys
from contextlib import suppress
from pathlib import Path
from core.metrics import Metrics

folder, moment = Path(sys.argv[1]), sys.argv[2]

def fill():
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass

(folder / "filler").touch()
(folder / "reading").touch()
if moment == "before":
    fill()
metrics = Metrics(folder)
metrics.child(metrics.requests, "/v1/chat", "POST", "200").inc()
if moment == "meanwhile":
    fill()
for number in range(2000):
    metrics.child(metrics.requests, f"/v1/{number}", "GET", "200").inc()
metrics.child(metrics.requests, "/v1/chat", "POST", "200").inc()
lines = metrics.render().decode().splitlines()
metrics.fold()
print(sum(line.startswith("glm_requests_total") for line in lines))
"""
PROMISED = {
    "glm_requests_total": {"endpoint", "method", "status"},
    "glm_request_duration_seconds_count": {"endpoint"},
    "glm_active_tokens": set(),
    "glm_token_errors_total": {"token_id", "error_type"},
    "glm_token_usage_cost_usd_count": set(),
    "glm_time_to_first_token_seconds_count": set(),
    "glm_gateway_overhead_seconds_count": set(),
    "glm_streams_in_flight": set(),
    "glm_upstream_requests_total": {"provider", "model", "outcome"},
    "glm_tokens_total": {"provider", "model", "kind"},
    "glm_cost_usd_total": {"provider", "model"},
    "glm_rate_limited_total": {"scope"},
    "glm_queue_wait_seconds_count": {"provider"},
    "glm_queue_waiting": {"provider"},
    "glm_prompt_cache_loss_usd_total": {"provider", "model", "cause"},
    "glm_prompt_cache_saving_usd_total": {"provider", "model"},
    "glm_prompt_cache_fee_usd_total": {"provider", "model"},
    "glm_prompt_cache_waste_usd_total": {"provider", "model"},
    "glm_prompt_cache_missed_usd_total": {"provider", "model", "cause"},
    "glm_prompt_cache_notional_usd_total": {"provider", "model", "kind"},
    "glm_prompt_cache_findings_total": {"provider", "model", "cause"},
    "glm_failover_active": {"model"},
    "glm_failover_activations_total": {"model"},
    "glm_dropped_total": {"provider", "what"},
    "glm_history_repairs_total": {"what"},
    "glm_store_degraded": set(),
    "glm_store_memory_ratio": set(),
}
IN_A_WORKER = """
import os
from pathlib import Path
from core.metrics import Metrics
metrics = Metrics(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
metrics.child(metrics.requests, "/v1/models", "GET", "200").inc()
metrics.child(metrics.duration, "/v1/models").observe(0.2)
metrics.active_tokens.set(2)
metrics.degraded.set(1)
print(metrics.render().decode())
"""


def touched() -> Metrics:
    """Metrics of which every one has a child."""
    metrics = Metrics()
    for metric in vars(metrics).values():
        names = getattr(metric, "_labelnames", None)
        if names:
            metrics.child(metric, *names)
    return metrics


def samples(text: str) -> dict[str, set[str]]:
    families = text_string_to_metric_families(text)
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def test_every_promised_metric_is_there_with_its_labels() -> None:
    found = samples(touched().render().decode())
    assert {name: found.get(name) for name in PROMISED} == PROMISED


def test_a_child_is_looked_up_once() -> None:
    metrics = Metrics()
    assert metrics.child(metrics.rate_limited, "key") is metrics.child(metrics.rate_limited, "key")
    assert metrics.child(metrics.rate_limited, "key") is not metrics.child(metrics.rate_limited, "ip")


def test_two_sets_of_metrics_know_nothing_of_each_other() -> None:
    one, other = Metrics(), Metrics()
    one.streams.inc()
    assert b"glm_streams_in_flight 1.0" in one.render()
    assert b"glm_streams_in_flight 0.0" in other.render()


def test_several_processes_are_summed(tmp_path: Path) -> None:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", IN_A_WORKER], env=environment, capture_output=True, text=True, check=True
        )
    assert 'glm_requests_total{endpoint="/v1/models",method="GET",status="200"} 3.0' in done.stdout
    assert "glm_store_degraded 1.0" in done.stdout


def test_workers_that_are_gone_leave_what_they_counted_and_no_files(tmp_path: Path) -> None:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    metrics, files = Metrics(tmp_path), set()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", IN_A_WORKER], env=environment, capture_output=True, check=True)
        metrics.fold()
        files.add(len(list(tmp_path.glob("*.db"))))
    found = metrics.render().decode()
    assert 'glm_requests_total{endpoint="/v1/models",method="GET",status="200"} 3.0' in found
    assert 'glm_request_duration_seconds_bucket{endpoint="/v1/models",le="0.25"} 3.0' in found
    assert 'glm_request_duration_seconds_bucket{endpoint="/v1/models",le="0.1"} 0.0' in found
    assert "glm_active_tokens 2.0" in found, "which the last of them has said"
    assert "glm_store_degraded" not in found, "which is true of those that live only"
    assert len(files) == 1


def test_the_files_of_a_worker_that_lives_are_left_alone_and_those_that_are_read_too(tmp_path: Path) -> None:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", IN_A_WORKER], env=environment, capture_output=True, check=True)
    before = sorted(tmp_path.glob("*.db"))
    assert fold(tmp_path, lambda _: True) == 0
    holding = [sys.executable, "-c", READING, str(tmp_path)]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        assert fold(tmp_path, lambda _: False) == 0
        assert sorted(tmp_path.glob("*.db")) == before
        reader.communicate(b"")
    assert fold(tmp_path, lambda _: False) == len(before)


def test_one_reader_that_is_done_leaves_the_files_to_the_others_of_its_process(tmp_path: Path) -> None:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", IN_A_WORKER], env=environment, capture_output=True, check=True)
    folding = [sys.executable, "-c", FOLDING, str(tmp_path)]
    with being_read(tmp_path):
        with being_read(tmp_path):
            pass
        other = subprocess.run(folding, env=environment, capture_output=True, text=True, check=True)
    assert other.stdout == "0\n"


@pytest.mark.parametrize(("moment", "some"), [("before", False), ("meanwhile", True), ("never", True)])
def test_a_full_disk_ends_no_worker(tmp_path: Path, moment: str, some: bool) -> None:
    alone = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mounts of its own for a process here: what a full disk does to metrics is NOT tested")
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = [*alone, "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL, moment]
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("metrics_not_shared" in done.stdout) == (moment != "never")
    seen = int(done.stdout.splitlines()[-1])
    assert bool(seen) == some
    assert (seen == 2001) == (moment == "never")


@pytest.mark.parametrize("metric", ["requests", "duration", "tokens"])
def test_a_label_value_cannot_break_out_of_its_quotes(metric: str) -> None:
    metrics = Metrics()
    child = getattr(metrics, metric)
    metrics.child(child, *(['a"} 1\nb'] * len(child._labelnames)))
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert families
