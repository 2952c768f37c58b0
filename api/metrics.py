"""The metrics, for Prometheus."""

from flask import Blueprint, Response

from services import Services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("metrics", __name__)

    def scrape() -> Response:
        services.set_gauges()
        return Response(services.telemetry.render(), content_type=CONTENT_TYPE)

    bp.add_url_rule("/v1/metrics", "scrape", scrape)
    bp.add_url_rule("/metrics", "scrape", scrape)
    return bp
