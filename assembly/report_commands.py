"""The commands that look at what a gateway does, and at its tokens."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import click

from assembly.terminal import give_up, or_give_up, settings_now, shown
from config.settings import Settings

if TYPE_CHECKING:
    from services import Services


@click.command()
@click.argument("model", required=False)
@click.option("--file", "-f", "body", type=click.File("rb"), help="A request's body; - is standard input.")
@click.option("--anthropic", is_flag=True, help="The body is in Anthropic's form.")
@click.option("--caller", help="The name of the caller whose request it is.")
def route(model: str | None, body: BinaryIO | None, anthropic: bool, caller: str | None) -> None:
    """Print where a request for MODEL, or with the body in a file, would go; asks no provider anything."""
    settings = settings_now()
    request = body.read() if body is not None else b""
    click.echo(_explained(settings, request, model, anthropic, caller), nl=False)


@click.command()
@click.option("--from", "since", help="A day, a time, or so long ago: 2026-11-01, 2026-11-26T09:00Z, 24h, 7d.")
@click.option("--to", "until", help="The same; now by itself.")
@click.option("--by", default="model", show_default=True, help="key, model, provider, session, hour, day; with commas.")
@click.option("--csv", "as_table", is_flag=True, help="As CSV.")
def usage(since: str | None, until: str | None, by: str, as_table: bool) -> None:
    """Print what was used and spent, as the gateway has written it down; today's by itself."""
    from api.usage_query import columns_of
    from services.commands import usage_text

    settings = settings_now()
    text = or_give_up(lambda: usage_text(settings, since, until, columns_of(by) or ("model",), csv=as_table))
    click.echo(text if as_table else shown(text), nl=False)


@click.group()
def tokens() -> None:
    """List providers' tokens and keys, and bring one back; a running gateway knows of it within two seconds."""


@tokens.command("list")
def list_tokens() -> None:
    """Print every token and key of every provider, without its secret, and how it stands."""
    from services.token_table import token_table

    click.echo(shown(_at_services(lambda one: token_table(one.tokens.infos(), datetime.now(UTC)))), nl=False)


@tokens.command("reset")
@click.argument("token_id")
def reset_token(token_id: str) -> None:
    """Bring a token back that rests or is out, as after a payment."""
    click.echo(_at_services(lambda one: f"{one.tokens.reset(token_id).id} is available again."))


def _at_services(act: "Callable[[Services], str]") -> str:
    from config.logging import configure_quietly
    from services import build_services

    settings = settings_now()
    configure_quietly(settings.logging)

    def answer() -> str:
        with closing(build_services(settings)) as services:
            return act(services)

    return or_give_up(answer)


def _explained(settings: Settings, body: bytes, model: str | None, anthropic: bool, caller: str | None) -> str:
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
        give_up(str(error))
