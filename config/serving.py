"""The server's command line, as the settings want it."""

from math import ceil
from pathlib import Path

from config.settings import Settings


def gunicorn_arguments(settings: Settings) -> list[str]:
    """Return the arguments for gunicorn that depend on settings; the name of the application is not among them."""
    server = settings.server
    here = Path(__file__).resolve().parent
    host = f"[{server.host}]" if ":" in server.host else server.host
    options = {
        "--config": here / "gunicorn.py",
        "--pythonpath": here.parent,
        "--bind": f"{host}:{server.port}",
        "--workers": settings.workers,
        "--worker-connections": server.worker_connections,
        "--graceful-timeout": ceil(server.shutdown_seconds),
    }
    return [str(part) for option in options.items() for part in option]
