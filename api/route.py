"""Where a request would go, or went, and why."""

from dataclasses import replace

from flask import Blueprint, Response
from flask import request as current

from api.continued import Continuing
from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.anthropic_messages_history import AnthropicMessagesHistory
from api.dialects.openai_chat import OpenAIChat
from api.dialects.openai_chat_history import OpenAIChatHistory
from api.inbound import inbound
from api.origin import origin_of
from core.errors import InvalidRequest
from schemas.caller import Caller
from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("route", __name__)
    conversations = services.conversations
    openai = Continuing(OpenAIChat(), OpenAIChatHistory(), conversations, in_body=True)
    anthropic = Continuing(AnthropicMessages(), AnthropicMessagesHistory(), conversations)

    def explain() -> Response:
        """In the caller's own place, or in that of the one whom `?caller=NAME` names.

        A conversation is read as whoever asks, since it is nobody else's to read.
        """
        form = anthropic if "anthropic-version" in current.headers else openai
        request = form.parse(current, inbound(current, services.settings.default_model, "hide")).request
        origin, caller = origin_of(current), _named(services, current.args.get("caller"))
        if caller is not None:
            # The limits of an address are no matter of one who asks from another.
            origin = replace(origin, tenant=caller.id, own={}, caller=caller, ip="")
        return _json(services.explain.explain(request, origin))

    def explained(request_id: str) -> Response:
        return _json(services.decisions.of(request_id))

    bp.add_url_rule("/v1/route/explain", "explain", explain, methods=["POST"])
    bp.add_url_rule("/v1/route/explain/<request_id>", "explained", explained)
    return bp


def _named(services: Services, name: str | None) -> Caller | None:
    if name is None:
        return None
    caller = services.access.named(name)
    if caller is None:
        raise InvalidRequest(f"caller: nobody is called {name[:64]!r}.", param="caller", code="invalid_value")
    return caller


def _json(value: object) -> Response:
    return Response(dumps(value), mimetype="application/json")
