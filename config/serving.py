"""The server's options, as the settings want them."""

from math import ceil
from typing import Any

from config.settings import Settings

MARGIN_SECONDS = 10
"""What a worker gets beyond its own times before it is killed; it takes that to tell answers that they are ended."""
JITTER_SHARE = 10


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's options that depend on settings."""
    server = settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    return {
        "bind": f"{host}:{server.port}",
        "workers": settings.workers,
        "worker_connections": server.worker_connections,
        "graceful_timeout": ceil(server.drain_seconds + server.shutdown_seconds) + MARGIN_SECONDS,
        "max_requests": server.max_requests,
        # So that workers that began together do not retire together.
        "max_requests_jitter": server.max_requests // JITTER_SHARE,
    }
