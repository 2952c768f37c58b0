"""What gunicorn is told that no setting changes; the rest comes from `config/serving.py`."""

from typing import Any

worker_class = "config.gunicorn_worker.Worker"
proc_name = "glm-gateway"
keepalive = 75  # seconds; nginx lets go of an idle connection long before
timeout = 120  # seconds without a heartbeat, which is a blocked event loop; a long answer is none
backlog = 4096

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 16380  # a caller's key may be a long JWT

# Forwarded headers are judged by the gateway itself, for as many proxies as `server.trusted_proxies` says. With nothing
# left that a peer could set here, looking up every peer's address would be wasted time.
forwarded_allow_ips = "*"
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

accesslog = None  # the gateway writes its own
errorlog = "-"
logger_class = "config.gunicorn_logger.GunicornLogger"

control_socket_disable = True  # it would be a file in the home directory, and a way in
dirty_workers = 0
preload_app = False  # the code is shared by all workers, but each makes its own connections


def on_starting(_server: Any) -> None:
    """Name the gateway, not the software it runs on, in the `Server` header."""
    from gunicorn.http import wsgi

    wsgi.SERVER = "glm-gateway"


def worker_exit(_server: Any, worker: Any) -> None:
    """Let the worker write what it has not shared yet, and let go of its connections."""
    extensions = getattr(getattr(worker, "wsgi", None), "extensions", {})
    if "gateway" in extensions:
        extensions["gateway"].close()


def child_exit(_server: Any, worker: Any) -> None:
    """Let go of a worker that is gone, and of its gauges in the shared metrics."""
    from prometheus_client.multiprocess import mark_process_dead

    from config.loader import metrics_directory

    worker.standing.close()
    directory = metrics_directory()
    if directory is not None:
        mark_process_dead(worker.pid, str(directory))  # type: ignore[no-untyped-call]  # the library leaves it untyped


def on_exit(_server: Any) -> None:
    """Remove the directory of shared metrics that was made for this run."""
    from config.loader import remove_metrics_directory

    remove_metrics_directory()
