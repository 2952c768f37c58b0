"""The gateway's application and its command line."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from pwd import getpwuid
from typing import TYPE_CHECKING, BinaryIO, NoReturn, TypeVar

import click

from assembly.configured import Configured
from config.banner import access_lines, banner
from config.loader import (
    ConfigurationError,
    adopt_environment,
    describe,
    process_environment,
    remove_metrics_directory,
)
from config.serving import gunicorn_options
from config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import Clock
    from middleware.front import Front
    from services.doors import Doors
    from services.key_desk import KeyDesk

T = TypeVar("T")
HERE = Path(__file__).resolve().parent
ROLES = ("admin", "operator", "user")
CODE = (
    "assembly.application",
    "config.gunicorn_logger",
    "config.gunicorn_worker",
)
"""What `create_app` and a worker import."""
SIMULATOR_KEY = "simulator.needs-no-real-key"


def create_app(
    settings: Settings | None = None,
    *,
    start: bool = True,
    clock: "Clock | None" = None,
    configured: Configured | None = None,
    announce: "Callable[[], None] | None" = None,
) -> "Front":
    """The WSGI application for `settings`, which never change, or for what the environment and the files say.

    `configured` has read those already; they are read again whenever they change. `start` begins the background chores.
    `clock` is the time it goes by, that of the machine unless given. `announce` has every worker of the gateway reload.
    Raises ConfigurationError for settings, ValueError for a store, that cannot be used.
    """
    # Imported here: a server's workers patch the sockets before they call this, and nothing may hold unpatched ones.
    from assembly.application import Assembly
    from core.catalogue import CatalogueBook

    if settings is not None:
        assembly = Assembly(settings, CatalogueBook(), clock)
    else:
        configured = configured or Configured()
        assembly = Assembly(configured.settings, configured.book, clock)
        assembly.follow(configured.files, configured.reading, announce)
    if start:
        assembly.services.background.start()
    return assembly.front


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A gateway, GLM first, that OpenAI clients use instead of a provider."""


@cli.command()
def serve() -> None:
    """Start the gateway; without any credential, a simulated GLM answers."""
    _prepare()
    configured = _configured()
    _serve(configured, _credentials(configured.settings))


@cli.command()
def demo() -> None:
    """Start the gateway with a simulated GLM, whatever is configured."""
    _prepare()
    _serve(_configured(), {})


@cli.command()
def check() -> None:
    """Print the effective configuration with secrets masked, or every mistake in it."""
    click.echo(describe(_settings()), nl=False)


@cli.command()
@click.argument("model", required=False)
@click.option("--file", "-f", "body", type=click.File("rb"), help="A request's body; - is standard input.")
@click.option("--anthropic", is_flag=True, help="The body is in Anthropic's form.")
@click.option("--caller", help="The name of the caller whose request it is.")
def route(model: str | None, body: BinaryIO | None, anthropic: bool, caller: str | None) -> None:
    """Print where a request for MODEL, or with the body in a file, would go; asks no provider anything."""
    settings = _settings()
    request = body.read() if body is not None else b""
    click.echo(_explained(settings, request, model, anthropic, caller), nl=False)


@cli.group()
def keys() -> None:
    """Make, list, change, rotate and revoke callers' keys; a running gateway knows of it within two seconds."""


def _key_options(command: "Callable[..., None]") -> "Callable[..., None]":
    """What a key may be given when it is made or changed."""
    count, dollars = click.IntRange(1), click.FloatRange(0, min_open=True)
    for option in (
        click.option("--daily-usd", "daily", type=dollars, help="What it may spend in a day."),
        click.option("--hourly-usd", "hourly", type=dollars, help="What it may spend in an hour."),
        click.option("--streams", "concurrent_streams", type=count, help="Streams at a time."),
        click.option("--tokens-per-minute", type=count),
        click.option("--requests-per-minute", type=count),
        click.option("--model", "models", multiple=True, help="A pattern of models it may use; may be given again."),
    ):
        command = option(command)
    return command


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True)
@click.option("--days", type=click.FloatRange(0, 3650, min_open=True), help="After how many days it expires.")
@_key_options
def create_key(name: str, days: float | None, **wanted: object) -> None:
    """Make a key for NAME and print it, once."""
    click.echo(_at_keys(lambda desk: desk.create(name, days, wanted)))


@keys.command("change")
@click.argument("key_id")
@click.option("--name", help="What it is called from now on.")
@click.option("--role", type=click.Choice(ROLES))
@click.option("--days", type=click.FloatRange(0, 3650), help="In how many days it expires; 0 for never.")
@_key_options
def change_key(key_id: str, days: float | None, **wanted: object) -> None:
    """Change what a key is or may; what is not given stays."""
    click.echo(_at_keys(lambda desk: desk.change(key_id, days, wanted)))


@keys.command("list")
def list_keys() -> None:
    """Print every key that was made, without its secret."""
    click.echo(_shown(_at_keys(lambda desk: desk.listing())), nl=False)


@keys.command("rotate")
@click.argument("key_id")
@click.option("--overlap", type=click.FloatRange(0, 720), default=0.0, help="For how many hours the old one works on.")
def rotate_key(key_id: str, overlap: float) -> None:
    """Print a new secret for a key."""
    click.echo(_at_keys(lambda desk: desk.rotate(key_id, overlap * 3600)))


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Close the door for a key."""
    click.echo(_at_keys(lambda desk: desk.revoke(key_id)))


def _shown(text: str) -> str:
    """Lines for a terminal, in which names cannot do more than be read."""
    from config.plain_text import one_line

    return "\n".join(map(one_line, text.split("\n")))


def _user() -> str:
    try:
        return getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _at_keys(act: "Callable[[KeyDesk], str]") -> str:
    from config.logging import configure_quietly
    from services.commands import at_keys

    settings = _settings()
    configure_quietly(settings.logging)
    return _or_give_up(lambda: at_keys(settings, f"{_user()} on the command line", act))


@cli.command()
@click.option("--from", "since", help="A day, a time, or so long ago: 2026-11-01, 2026-11-26T09:00Z, 24h, 7d.")
@click.option("--to", "until", help="The same; now by itself.")
@click.option("--by", default="model", show_default=True, help="key, model, provider, session, hour, day; with commas.")
@click.option("--csv", "as_table", is_flag=True, help="As CSV.")
def usage(since: str | None, until: str | None, by: str, as_table: bool) -> None:
    """Print what was used and spent, as the gateway has written it down; today's by itself."""
    from api.usage_query import columns_of
    from services.commands import usage_text

    settings = _settings()
    text = _or_give_up(lambda: usage_text(settings, since, until, columns_of(by) or ("model",), csv=as_table))
    click.echo(text if as_table else _shown(text), nl=False)


def _explained(settings: Settings, body: bytes, model: str | None, anthropic: bool, caller: str | None) -> str:
    from contextlib import closing

    from api.dialects.anthropic_messages import AnthropicMessages
    from api.dialects.base import Inbound
    from api.dialects.openai_chat import OpenAIChat
    from core.errors import GatewayError, InvalidRequest
    from schemas.codec import loads
    from schemas.origin import Origin
    from services import build_services
    from services.explain_table import table

    question = {"max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    try:
        given = {**(loads(body) if body else question), **({"model": model} if model is not None else {})}
        dialect = AnthropicMessages() if anthropic else OpenAIChat()
        request = dialect.parse(Inbound(given, b"", {}, settings.default_model, "hide"))
        with closing(build_services(settings)) as services:
            asker = services.access.named(caller) if caller is not None else None
            if caller is not None and asker is None:
                raise InvalidRequest(f"nobody is called {caller!r}.")
            return table(services.explain.explain(request, Origin("", 0.0, asker.id if asker else "", caller=asker)))
    except (GatewayError, ValueError, TypeError) as error:
        _give_up(str(error))


def _settings() -> Settings:
    return _configured().settings


def _configured() -> Configured:
    return _or_give_up(Configured)


def _credentials(settings: Settings) -> dict[str, int]:
    """How many credentials each provider has that has any."""
    from core.credentials.sources import ProviderSource

    enabled = {name: provider for name, provider in settings.providers.items() if provider.enabled}
    counts = {
        # Callers bring their keys along at any time.
        name: 1 if provider.auth == "passthrough" else len(ProviderSource(name, provider).poll() or ())
        for name, provider in enabled.items()
    }
    return {name: count for name, count in counts.items() if count}


def _serve(configured: Configured, credentials: dict[str, int]) -> NoReturn:
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
        _or_give_up(configured.read_again)
    access = access_lines(settings, **asdict(doors))
    needs_key = doors.shut or not doors.known or bool(settings.access.keys) or settings.access.jwt.enabled
    click.echo(banner(settings, credentials, access, simulated=not credentials, needs_key=needs_key))
    sys.stdout.flush()
    _load_code()
    from config.server import Server

    def read_again() -> None:
        # What cannot be used changes nothing here; the workers say what is wrong with it.
        with suppress(ConfigurationError):
            configured.read_again()

    # In this very process: signals reach it, and its workers begin with all code loaded.
    make = partial(create_app, configured=configured, announce=_announce)
    Server(settings.server, gunicorn_options(settings), make, read_again).run()
    raise SystemExit(0)


def _announce() -> None:
    """Called in a worker: the process that has forked it has all workers reload."""
    os.kill(os.getppid(), signal.SIGHUP)


def _prepare() -> None:
    """Let what is imported from here on wait in greenlets; and let the collector rest while nothing becomes free.

    What the server's first process needs stays as it is: its queue of signals, and how it forks and reaps.
    """
    import gc

    from gevent import monkey

    gc.disable()
    monkey.patch_all(os=False, signal=False, queue=False, subprocess=False)


def _load_code() -> None:
    """Import what every worker needs, once for all of them."""
    for name in CODE:
        import_module(name)


def _start_simulator(settings: Settings) -> dict[str, str]:
    """Start the simulator as a process that ends with this one; returns the environment that leads to it alone."""
    command = [sys.executable, "-m", "demo", "--port", "0", "--parent", str(os.getpid())]
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    line = process.stdout.readline().strip() if process.stdout is not None else ""
    if "http://" not in line:
        _give_up("The simulator did not start.")
    url = line[line.index("http://") :]
    others = (name.upper() for name in settings.providers if name != "glm")
    return {
        "GLM_ENDPOINT": f"{url}/api/paas/v4/chat/completions",
        "GLM_API_KEY": SIMULATOR_KEY,
        **{f"GATEWAY__PROVIDERS__{name}__ENABLED": "false" for name in others},
    }


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _give_up(f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with PORT=9000.")


def _doors(settings: Settings) -> "Doors":
    from config.logging import configure_quietly
    from services.commands import look_at_doors

    configure_quietly(settings.logging)
    return _or_give_up(lambda: look_at_doors(settings))


def _or_give_up(act: "Callable[[], T]") -> "T":
    """What `act` returns; a mistake of the person at the terminal ends the process with one line."""
    from core.errors import GatewayError

    try:
        return act()
    except (GatewayError, ValueError) as error:
        _give_up(str(error))


def _give_up(message: str) -> NoReturn:
    click.echo(message, err=True)
    raise SystemExit(2)


if __name__ == "__main__":
    cli()
