"""Being the server: what is done ahead of it, and how its workers begin."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from assembly.configured import Configured
from assembly.terminal import give_up, or_give_up
from config.banner import access_lines, banner
from config.loader import (
    adopt_environment,
    process_environment,
    remove_metrics_directory,
)
from config.serving import gunicorn_options
from config.settings import Settings

if TYPE_CHECKING:
    from services.doors import Doors

HERE = Path(__file__).resolve().parent.parent
CODE = (
    "assembly.application",
    "config.gunicorn_logger",
    "config.gunicorn_worker",
)
"""What `create_app` and a worker import."""
SIMULATOR_KEY = "simulator.needs-no-real-key"


def credentials_of(settings: Settings) -> dict[str, int]:
    """How many credentials each provider has that has any."""
    from core.credentials.sources import ProviderSource

    enabled = {name: provider for name, provider in settings.providers.items() if provider.enabled}
    counts = {
        # Callers bring their keys along at any time.
        name: 1 if provider.auth == "passthrough" else len(ProviderSource(name, provider).poll() or ())
        for name, provider in enabled.items()
    }
    return {name: count for name, count in counts.items() if count}


def serve(configured: Configured, credentials: dict[str, int], create_app: Callable[..., object]) -> NoReturn:
    """Be the server, in front of the simulator when there are no credentials."""
    settings = configured.settings
    _check_port(settings.server.host, settings.server.port)
    environment = process_environment(settings)
    # Before anything is imported that looks at it.
    adopt_environment(environment)
    try:
        doors = _doors(settings)
    except SystemExit:
        remove_metrics_directory()
        raise
    if not credentials:
        adopt_environment({**environment, **_start_simulator(settings)})
        or_give_up(configured.read_again)
    access = access_lines(settings, **asdict(doors))
    needs_key = doors.shut or not doors.known or bool(settings.access.keys) or settings.access.jwt.enabled
    click.echo(banner(settings, credentials, access, simulated=not credentials, needs_key=needs_key))
    sys.stdout.flush()
    _load_code()
    if settings.workers > 1:
        _load_vocabulary()
    from config.server import Server

    def read_again() -> None:
        # What cannot be used changes nothing here; the workers say what is wrong with it.
        # Nothing that is in a file may end the server, whose workers have streams open.
        with suppress(Exception):
            configured.read_again()

    # In this very process: signals reach it, and its workers begin with all code loaded.
    make = partial(create_app, configured=configured, announce=_announce)
    Server(settings.server, gunicorn_options(settings), make, read_again).run()
    raise SystemExit(0)


def _announce() -> None:
    """Called in a worker: the process that has forked it has all workers reload."""
    os.kill(os.getppid(), signal.SIGHUP)


def prepare() -> None:
    """Let what is imported from here on wait in greenlets; and let the collector rest while nothing becomes free.

    What the server's first process needs stays as it is: its queue of signals, and how it forks and reaps. Until that
    hears signals, one that asks it to end does so: a container's first process would else never get it.
    """
    import gc

    from gevent import monkey

    signal.signal(signal.SIGTERM, _end)

    gc.disable()
    monkey.patch_all(os=False, signal=False, queue=False, subprocess=False)


def _end(sig: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + sig)


def _load_code() -> None:
    """Import what every worker needs, once for all of them."""
    for name in CODE:
        import_module(name)


def _load_vocabulary() -> None:
    """Load what tokens are counted with, which all workers then share: 140 MB that each would take for itself."""
    from core.counting import load_vocabulary

    load_vocabulary()


def _start_simulator(settings: Settings) -> dict[str, str]:
    """Start the simulator as a process that ends with this one; returns the environment that leads to it alone."""
    command = [sys.executable, "-m", "demo", "--port", "0", "--parent", str(os.getpid())]
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    line = process.stdout.readline().strip() if process.stdout is not None else ""
    if "http://" not in line:
        give_up("The simulator did not start.")
    url = line[line.index("http://") :]
    others = (name.upper() for name in settings.providers if name != "glm")
    return {
        "GLM_ENDPOINT": f"{url}/api/paas/v4/chat/completions",
        "GLM_API_KEY": SIMULATOR_KEY,
        "GLM_API_KEY_FILE": "",
        **{f"GATEWAY__PROVIDERS__{name}__ENABLED": "false" for name in others},
    }


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            give_up(f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with PORT=9000.")


def _doors(settings: Settings) -> "Doors":
    from config.logging import configure_quietly
    from services.commands import look_at_doors

    configure_quietly(settings.logging)
    return or_give_up(lambda: look_at_doors(settings))
