"""Where a request would go, or went, and why."""

from flask import Blueprint, Response
from flask import request as current

from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.openai_chat import OpenAIChat
from api.inbound import inbound
from api.origin import origin_of
from core.errors import InvalidRequest
from schemas.caller import Caller
from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("route", __name__)
    openai, anthropic = OpenAIChat(), AnthropicMessages()

    def explain() -> Response:
        """In the caller's own place, or in that of the one whom `?caller=NAME` names."""
        body = inbound(current, services.settings.default_model, "hide")
        request = (anthropic if "anthropic-version" in current.headers else openai).parse(body)
        origin = origin_of(current)
        caller = _named(services, current.args.get("caller"))
        tenant = origin.tenant if caller is None else caller.id
        return _json(services.explain.explain(request, tenant, caller or origin.caller))

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
