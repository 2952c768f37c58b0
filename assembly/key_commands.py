"""The commands for callers' keys."""

import os
from collections.abc import Callable
from pwd import getpwuid
from typing import TYPE_CHECKING

import click

from assembly.terminal import or_give_up, settings_now, shown

if TYPE_CHECKING:
    from services.key_desk import KeyDesk

ROLES = ("admin", "operator", "user")


@click.group()
def keys() -> None:
    """Make, list, change, rotate and revoke callers' keys; a running gateway knows of it within two seconds."""


def _key_options(least: int) -> "Callable[[Callable[..., None]], Callable[..., None]]":
    """What a key may be given, limits from `least` on: when it is changed 0 takes one away, so that what holds for
    every key holds for it."""
    count, dollars = click.IntRange(least), click.FloatRange(0, min_open=least > 0)
    options = (
        click.option("--daily-usd", "daily", type=dollars, help="What it may spend in a day."),
        click.option("--hourly-usd", "hourly", type=dollars, help="What it may spend in an hour."),
        click.option("--streams", "concurrent_streams", type=count, help="Streams at a time."),
        click.option("--tokens-per-minute", type=count),
        click.option("--requests-per-minute", type=count),
        click.option("--model", "models", multiple=True, help="A pattern of models it may use; may be given again."),
    )

    def added(command: "Callable[..., None]") -> "Callable[..., None]":
        for option in options:
            command = option(command)
        return command

    return added


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True)
@click.option("--days", type=click.FloatRange(0, 3650, min_open=True), help="After how many days it expires.")
@_key_options(1)
def create_key(name: str, days: float | None, **wanted: object) -> None:
    """Make a key for NAME and print it, once."""
    click.echo(_at_keys(lambda desk: desk.create(name, days, wanted)))


@keys.command("change")
@click.argument("key_id")
@click.option("--name", help="What it is called from now on.")
@click.option("--role", type=click.Choice(ROLES))
@click.option("--days", type=click.FloatRange(0, 3650), help="In how many days it expires; 0 for never.")
@_key_options(0)
def change_key(key_id: str, days: float | None, **wanted: object) -> None:
    """Change what a key is or may; what is not given stays, and a limit of 0 is no longer its own."""
    click.echo(_at_keys(lambda desk: desk.change(key_id, days, wanted)))


@keys.command("list")
def list_keys() -> None:
    """Print every key that was made, without its secret."""
    click.echo(shown(_at_keys(lambda desk: desk.listing())), nl=False)


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


def _user() -> str:
    try:
        return getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _at_keys(act: "Callable[[KeyDesk], str]") -> str:
    from config.logging import configure_quietly
    from services.commands import at_keys

    settings = settings_now()
    configure_quietly(settings.logging)
    return or_give_up(lambda: at_keys(settings, f"{_user()} on the command line", act))
