"""The gateway's application and its command line."""

from typing import TYPE_CHECKING

import click

from assembly import serving
from assembly.configured import Configured
from assembly.key_commands import keys
from assembly.report_commands import route, tokens, usage
from assembly.terminal import configured_now, give_up, settings_now
from config.loader import describe, key_files
from config.reload import UNGUARDED, is_guarded
from config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import Clock
    from middleware.front import Front


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
    """A gateway, GLM first, that OpenAI and Anthropic clients use instead of a provider."""


@cli.command()
def serve() -> None:
    """Start the gateway; without any credential, a simulated GLM answers."""
    serving.prepare()
    configured = configured_now()
    credentials = serving.credentials_of(configured.settings)
    if not credentials and (named := key_files()):
        # Whoever has named a file for a key wants no answers that are made up.
        give_up(
            f"{', '.join(named)}: no key is there, and no provider has another. 'app.py demo' is for trying it out."
        )
    serving.serve(configured, credentials, create_app)


@cli.command()
def demo() -> None:
    """Start the gateway with a simulated GLM, whatever is configured."""
    serving.prepare()
    serving.serve(configured_now(), {}, create_app)


@cli.command()
def check() -> None:
    """Print the effective configuration with secrets masked, or every mistake in it."""
    settings = settings_now()
    click.echo(describe(settings), nl=False)
    if not is_guarded(settings):
        click.echo(f"note: {UNGUARDED}", err=True)


for command in (route, keys, tokens, usage):
    cli.add_command(command)


if __name__ == "__main__":
    cli()
