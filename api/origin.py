"""Whose a request is, for the services."""

from flask import Request

from schemas.context import ENVIRON_KEY, RequestContext
from schemas.origin import Origin


def origin_of(http: Request) -> Origin:
    """The request's id, its arrival, its caller, and the keys of its own that it brought along."""
    context: RequestContext = http.environ[ENVIRON_KEY]
    caller = context.caller
    tenant = context.client_ip if caller is None or caller.anonymous else caller.id
    return Origin(context.request_id, context.started, tenant, context.own, caller, context.client_ip)
