"""Usage: what prompt caches have saved and lost."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response

from schemas.cache import CacheRow
from schemas.codec import dumps
from services import Services


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("usage", __name__)

    def report() -> Response:
        cache = services.cache_ledger.report()
        body = {
            "cache": {
                "by_key": [_row(row) for row in cache.by_key],
                "by_session": [_row(row) for row in cache.by_session],
            }
        }
        return Response(dumps(body), mimetype="application/json")

    bp.add_url_rule("/v1/usage", "report", report)
    return bp


def _row(row: CacheRow) -> dict[str, Any]:
    told = {name: value for name, value in row.model_dump(mode="json").items() if value is not None}
    last = datetime.fromtimestamp(row.last_seen, UTC).isoformat(timespec="milliseconds")
    return {**told, "last_seen": last, "hit_ratio": row.hit_ratio}
