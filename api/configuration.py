"""The configuration in effect, and how another takes its place."""

from flask import Blueprint, Response
from flask import request as current

from schemas.codec import dumps
from schemas.context import ENVIRON_KEY, RequestContext
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("configuration", __name__)
    configuration = services.configuration

    def shown() -> Response:
        return _json(configuration.told())

    def reload() -> Response:
        return _json(configuration.request(_who()))

    bp.add_url_rule("/v1/config", "shown", shown)
    bp.add_url_rule("/v1/config/reload", "reload", reload, methods=["POST"])
    return bp


def _who() -> str:
    context: RequestContext = current.environ[ENVIRON_KEY]
    caller = context.caller
    return f"anonymous ({context.client_ip})" if caller is None or caller.anonymous else f"{caller.name} ({caller.id})"


def _json(value: object) -> Response:
    return Response(dumps(value), mimetype="application/json")
