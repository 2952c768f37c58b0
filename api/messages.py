"""Anthropic's Messages: answers, and the number of tokens of a prompt."""

from flask import Blueprint, Response
from flask import request as current

from api.continued import Continuing
from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.anthropic_messages_history import AnthropicMessagesHistory
from api.inbound import inbound
from api.origin import origin_of
from api.respond import answer
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY
from services import Services

PROBED = ("/v1/messages", "/v1/messages/count_tokens")


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("messages", __name__)
    dialect = AnthropicMessages()
    continuing = Continuing(dialect, AnthropicMessagesHistory(), services.conversations)
    settings = services.settings

    def create() -> Response:
        parsed = continuing.parse(current, inbound(current, settings.default_model, "blocks"))
        _name_request()
        return answer(current, parsed.request, dialect, services.chat, settings.stream.write_timeout, parsed.turn)

    def count() -> Response:
        asked = inbound(current, settings.default_model, "blocks")
        request = continuing.told(current, asked, dialect.parse_count)
        _name_request()
        tokens = services.counting.count(request, origin_of(current))
        return Response(dumps({"input_tokens": tokens}), mimetype="application/json")

    def probe() -> Response:
        return Response(status=200, headers={"Allow": "HEAD, OPTIONS, POST"})

    bp.add_url_rule("/v1/messages", "create", create, methods=["POST"])
    bp.add_url_rule("/v1/messages/count_tokens", "count", count, methods=["POST"])
    for path in PROBED:
        bp.add_url_rule(path, "probe", probe, methods=["HEAD", "OPTIONS"], provide_automatic_options=False)
    return bp


def _name_request() -> None:
    """Anthropic's own name for the header with the request's id."""
    context = current.environ[ENVIRON_KEY]
    context.headers["request-id"] = context.request_id
