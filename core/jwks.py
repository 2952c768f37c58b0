"""Public keys from a JWKS address (RFC 7517)."""

from typing import Any

import jwt

from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError, UpstreamBroken, UpstreamUnreachable
from core.providers.base import UpstreamRequest
from core.transport import Transport
from schemas.codec import loads

SECONDS = 5.0
FRESH_SECONDS = 600.0
RETRY_SECONDS = 10.0
"""An id that is not known is a reason to look again, so often at most."""
MAX_KEYS = 50


class JwksKeys:
    """Fetched when first needed, and kept: keys that are known go on working while the address is away."""

    def __init__(self, url: str, transport: Transport, clock: Clock) -> None:
        self._url = url
        self._transport = transport
        self._clock = clock
        self._keys: dict[str | None, list[Any]] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None

    def find(self, key_id: str | None) -> list[Any]:
        """The keys of that id, all of them without one. Raises UpstreamError when none could be fetched yet."""
        if self._is_stale() or (key_id is not None and key_id not in self._keys):
            self._refresh()
        if key_id is None:
            return [key for keys in self._keys.values() for key in keys]
        return self._keys.get(key_id, [])

    def _is_stale(self) -> bool:
        return self._fetched_at is None or self._clock.monotonic() - self._fetched_at > FRESH_SECONDS

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < RETRY_SECONDS:
            if self._fetched_at is None:
                raise UpstreamUnreachable("the JWKS address was away a moment ago")
            return
        self._asked_at = now
        try:
            self._keys = self._fetch()
            self._fetched_at = self._clock.monotonic()
        except GatewayError:
            if self._fetched_at is None:
                raise

    def _fetch(self) -> dict[str | None, list[Any]]:
        request = UpstreamRequest(self._url, {"Accept": "application/json"}, method="GET")
        # A redirect is not followed: only the configured address has a say in who gets in.
        status, _, body = self._transport.call(request, SECONDS, Cancellation())
        try:
            entries: Any = loads(body)["keys"] if status == 200 else None
            keys: dict[str | None, list[Any]] = {}
            for entry in entries[:MAX_KEYS]:
                if entry.get("use", "sig") == "sig" and entry.get("kty") in ("RSA", "EC"):
                    keys.setdefault(entry.get("kid"), []).append(jwt.PyJWK.from_dict(entry).key)
        except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            raise UpstreamBroken("the JWKS address sent no keys") from error
        return keys
