"""Health: whether the process lives, whether it may be sent traffic, and how it is."""

from flask import Blueprint, Response

from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("health", __name__)

    def report() -> Response:
        health = services.health.report()
        return Response(dumps(health), 503 if health.status == "unhealthy" else 200, mimetype="application/json")

    def live() -> Response:
        return Response(dumps({"status": "alive"}), mimetype="application/json")

    def ready() -> Response:
        reason = services.health.not_ready()
        body = {"status": "ready"} if reason is None else {"status": "not_ready", "reason": reason}
        return Response(dumps(body), 200 if reason is None else 503, mimetype="application/json")

    bp.add_url_rule("/v1/health", "report", report)
    bp.add_url_rule("/health", "report", report)
    bp.add_url_rule("/v1/health/live", "live", live)
    bp.add_url_rule("/v1/health/ready", "ready", ready)
    return bp
