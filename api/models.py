"""The models that can be asked."""

from flask import Blueprint, Response

from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("models", __name__)

    def listing() -> Response:
        data = services.models.listing()
        return Response(dumps({"object": "list", "data": data}), mimetype="application/json")

    def one(model: str) -> Response:
        return Response(dumps(services.models.one(model)), mimetype="application/json")

    for version in ("v1", "v2"):
        bp.add_url_rule(f"/{version}/models", "listing", listing)
        bp.add_url_rule(f"/{version}/models/<path:model>", "one", one)
    return bp
