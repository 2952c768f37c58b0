"""The models that can be asked, in OpenAI's shape, or in Anthropic's for a client that sends `anthropic-version`."""

from typing import Any

from flask import Blueprint, Response
from flask import request as current

from core.errors import InvalidRequest
from schemas.caller import Caller
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY, RequestContext
from services import Services

MAX_PAGE = 1000
USUAL_PAGE = 20


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("models", __name__)

    def listing() -> Response:
        if "anthropic-version" in current.headers:
            page = (_limit(), current.args.get("after_id"), current.args.get("before_id"))
            return _json(services.models.anthropic_page(*page, _caller()))
        return _json({"object": "list", "data": services.models.listing(_caller())})

    def one(model: str) -> Response:
        show = services.models.anthropic_one if "anthropic-version" in current.headers else services.models.one
        return _json(show(model, _caller()))

    for version in ("v1", "v2"):
        bp.add_url_rule(f"/{version}/models", "listing", listing)
        bp.add_url_rule(f"/{version}/models/<path:model>", "one", one)
    return bp


def _caller() -> Caller | None:
    context: RequestContext = current.environ[ENVIRON_KEY]
    return context.caller


def _json(value: Any) -> Response:
    return Response(dumps(value), mimetype="application/json")


def _limit() -> int:
    text = current.args.get("limit", str(USUAL_PAGE))
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MAX_PAGE:
        raise InvalidRequest(
            f"limit: must be a whole number from 1 to {MAX_PAGE}.", param="limit", code="invalid_value"
        )
    return int(text)
