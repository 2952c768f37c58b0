"""Lets callers in by their key, and only where their role may go."""

from ipaddress import ip_address

from flask import Request, Response

from middleware.base import Next, context_of
from services.access import AccessService

OWN_HEADERS = ("Authorization", "X-Api-Key")
"""Where a caller may send a key of its own for a provider."""


class Auth:
    """Takes the key from `X-Gateway-Key`, `Authorization: Bearer` or `x-api-key`, the first that is there.

    Decides on the route that will really be taken. With `passes_keys`, what a caller sent besides its key for this
    gateway is kept for providers that take the caller's own.
    """

    def __init__(self, access: AccessService, *, passes_keys: bool = False) -> None:
        self._access = access
        self._passes_keys = passes_keys

    def __call__(self, request: Request, proceed: Next) -> Response:
        if not self._access.is_public(request.endpoint):
            caller = self._access.authenticate(_key(request), local=_is_local(request))
            context_of(request).caller = caller
            self._access.authorize(caller, request.endpoint)
            if self._passes_keys:
                context_of(request).own = self._own(request)
        return proceed(request)

    def _own(self, request: Request) -> dict[str, str]:
        """The headers that may hold a provider's key; one with a key of this gateway never leaves it."""
        given = {name: request.headers[name] for name in OWN_HEADERS if name in request.headers}
        return {name: value for name, value in given.items() if not self._access.knows(_bare(value))}


def _key(request: Request) -> str | None:
    if given := request.headers.get("X-Gateway-Key"):
        return given
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("X-Api-Key") or None


def _bare(value: str) -> str:
    """The key in a header's value, without the word Bearer."""
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else value.strip()


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
