"""Callers' keys: made, listed, changed, rotated and revoked by admins."""

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Blueprint, Response
from flask import request as current
from pydantic import BaseModel, ValidationError

from api.problems import invalid_request
from core.errors import InvalidRequest
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.key import KeyChange, KeyRotation, NewKey, StoredKey
from services import Services

B = TypeVar("B", bound=BaseModel)


def blueprint(services: Services) -> Blueprint:
    """The routes."""
    bp = Blueprint("keys", __name__)
    book = services.keys

    def create() -> Response:
        key, secret = book.create(_body(NewKey), _who())
        return _shown_once({**told(key), "key": secret}, 201)

    def listing() -> Response:
        return _json({"object": "list", "data": [told(key) for key in book.all()]})

    def one(key_id: str) -> Response:
        return _json(told(book.one(key_id)))

    def change(key_id: str) -> Response:
        wanted = _body(KeyChange)
        ends_in = 0.0 if wanted.role not in (None, "admin") else wanted.expires_in
        with nullcontext() if ends_in is None else services.admins.keeping_one(_context().caller, key_id, ends_in):
            return _json(told(book.update(key_id, wanted, _who())))

    def rotate(key_id: str) -> Response:
        key, secret = book.rotate(key_id, _body(KeyRotation), _who())
        return _shown_once({**told(key), "key": secret}, 200)

    def revoke(key_id: str) -> Response:
        with services.admins.keeping_one(_context().caller, key_id):
            return _json(told(book.revoke(key_id, _who())))

    def told(key: StoredKey) -> dict[str, Any]:
        return _told(key, services.clock.now())

    bp.add_url_rule("/v1/keys", "create", create, methods=["POST"])
    bp.add_url_rule("/v1/keys", "listing", listing)
    bp.add_url_rule("/v1/keys/<key_id>", "one", one)
    bp.add_url_rule("/v1/keys/<key_id>", "change", change, methods=["PATCH"])
    bp.add_url_rule("/v1/keys/<key_id>", "revoke", revoke, methods=["DELETE"])
    bp.add_url_rule("/v1/keys/<key_id>/rotate", "rotate", rotate, methods=["POST"])
    return bp


def _context() -> RequestContext:
    context: RequestContext = current.environ[ENVIRON_KEY]
    return context


def _body(kind: type[B]) -> B:
    context = _context()
    if context.body is None and context.raw_body:
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    try:
        return kind.model_validate(context.body or {})
    except ValidationError as error:
        raise invalid_request(error) from None


def _who() -> str:
    """For the audit log: names are not unique, and whoever needs no key has none."""
    context = _context()
    caller = context.caller
    if caller is None or caller.anonymous:
        return f"anonymous ({context.client_ip})"
    return f"{caller.name} ({caller.id})"


def _told(key: StoredKey, now: float) -> dict[str, Any]:
    """Everything but the secrets."""
    living = [one for one in key.secrets if one.until is None or one.until > now]
    return {
        "object": "key",
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "status": key.status(now),
        "prefixes": [one.prefix for one in living],
        "models": key.models,
        "limits": key.limits.model_dump(),
        "budget": key.budget.model_dump(),
        "created_at": _moment(key.created),
        "created_by": key.created_by,
        "changed_at": _moment(key.changed),
        "changed_by": key.changed_by,
        "expires_at": _moment(key.expires),
        "revoked_at": _moment(key.revoked),
        "last_used_at": _moment(key.last_used),
    }


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _shown_once(value: Any, status: int) -> Response:
    response = _json(value, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _json(value: Any, status: int = 200) -> Response:
    return Response(dumps(value), status, mimetype="application/json")
