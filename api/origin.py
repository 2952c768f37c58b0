"""Whose a request is, for the services."""

from typing import Literal

from flask import Request

from core.errors import InvalidRequest
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.origin import Origin

Wish = Literal["use", "bypass", "refresh"]
WISHES: dict[str, Wish] = {"use": "use", "bypass": "bypass", "refresh": "refresh"}


def origin_of(http: Request) -> Origin:
    """The request's id, its arrival, its caller, the keys of its own that it brought along, and its wishes.

    Raises InvalidRequest.
    """
    context: RequestContext = http.environ[ENVIRON_KEY]
    caller = context.caller
    tenant = context.client_ip if caller is None or caller.anonymous else caller.id
    wish = _cache_wish(http.headers.get("X-Cache"))
    asked = (context.request_id, context.started, tenant, context.own, caller, context.client_ip, wish)
    return Origin(*asked, trace=context.trace, answered=context.answered)


def _cache_wish(said: str | None) -> Wish | None:
    if said is None:
        return None
    wish = WISHES.get(said.strip().lower())
    if wish is None:
        raise InvalidRequest("X-Cache must be use, bypass or refresh.", param="X-Cache", code="invalid_value")
    return wish
