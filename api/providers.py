"""The provider instances as an operator sees them."""

from flask import Blueprint, Response

from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("providers", __name__)
    providers = services.providers

    def listing() -> Response:
        return _json({"object": "list", "data": providers.listing()})

    def one(name: str) -> Response:
        return _json(providers.one(name))

    def reset(name: str) -> Response:
        return _json(providers.reset(name))

    bp.add_url_rule("/v1/providers", "listing", listing)
    bp.add_url_rule("/v1/providers/<name>", "one", one)
    bp.add_url_rule("/v1/providers/<name>/reset", "reset", reset, methods=["POST"])
    return bp


def _json(value: object) -> Response:
    return Response(dumps(value), mimetype="application/json")
