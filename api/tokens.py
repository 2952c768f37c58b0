"""The credentials as an operator sees them."""

from flask import Blueprint, Response

from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("tokens", __name__)
    tokens = services.tokens

    def listing() -> Response:
        return _json({"object": "list", "data": tokens.infos()})

    def stats() -> Response:
        return _json(tokens.stats())

    def reset(token_id: str) -> Response:
        return _json(tokens.reset(token_id))

    bp.add_url_rule("/v1/tokens", "listing", listing)
    bp.add_url_rule("/v1/tokens/stats", "stats", stats)
    bp.add_url_rule("/v1/tokens/<token_id>/reset", "reset", reset, methods=["POST"])
    return bp


def _json(value: object) -> Response:
    return Response(dumps(value), mimetype="application/json")
