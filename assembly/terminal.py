"""What every command does at the terminal."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import click

from assembly.configured import Configured
from config.settings import Settings

T = TypeVar("T")


def settings_now() -> Settings:
    """The settings that the environment and the files say now; a mistake in them ends the process."""
    return configured_now().settings


def configured_now() -> Configured:
    """The same, with what they were read from."""
    return or_give_up(Configured)


def shown(text: str) -> str:
    """Lines for a terminal, in which names cannot do more than be read."""
    from config.plain_text import one_line

    return "\n".join(map(one_line, text.split("\n")))


def or_give_up(act: "Callable[[], T]") -> "T":
    """What `act` returns; a mistake of the person at the terminal ends the process with one line."""
    from core.errors import GatewayError

    try:
        return act()
    except (GatewayError, ValueError) as error:
        give_up(str(error))


def give_up(message: str) -> NoReturn:
    """End the process, with the status of a wrong command."""
    click.echo(message, err=True)
    raise SystemExit(2)
