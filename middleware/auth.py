"""Lets callers in by their key, and only where their role may go."""

from flask import Request, Response

from middleware.auth_local import is_local
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
            key = _key(request)
            caller = self._access.authenticate(key, local=self._access.is_open and is_local(request))
            context_of(request).caller = caller
            self._access.authorize(caller, request.endpoint)
            if self._passes_keys:
                context_of(request).own = self._own(request, None if caller.anonymous else key)
        return proceed(request)

    def _own(self, request: Request, used: str | None) -> dict[str, str]:
        """The headers that may hold a provider's key; one with a key of this gateway never leaves it."""
        given = {name: request.headers[name] for name in OWN_HEADERS if name in request.headers}
        return {
            name: value
            for name, value in given.items()
            if _bare(value) != used and not self._access.knows(_bare(value))
        }


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
