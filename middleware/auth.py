"""Lets callers in by their key, and only where their role may go."""

from ipaddress import ip_address

from flask import Request, Response

from middleware.base import Next, context_of
from services.access import AccessService


class Auth:
    """Takes the key from `Authorization: Bearer` or `x-api-key`; decides on the route that will really be taken."""

    def __init__(self, access: AccessService) -> None:
        self._access = access

    def __call__(self, request: Request, proceed: Next) -> Response:
        if not self._access.is_public(request.endpoint):
            caller = self._access.authenticate(_key(request), local=_is_local(request))
            context_of(request).caller = caller
            self._access.authorize(caller, request.endpoint)
        return proceed(request)


def _key(request: Request) -> str | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("X-Api-Key") or None


def _is_local(request: Request) -> bool:
    """True when the peer is this machine and speaks for nobody else."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers or "X-Real-IP" in request.headers:
        return False
    peer = request.environ.get("REMOTE_ADDR") or "127.0.0.1"
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
