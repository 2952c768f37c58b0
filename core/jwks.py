"""Public keys from a JWKS address (RFC 7517)."""

from typing import Any

import jwt
from gevent.lock import RLock

from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError, SignersUnknown, UpstreamBroken
from core.providers.base import UpstreamRequest
from core.transport import Transport
from schemas.codec import loads

SECONDS = 5.0
FRESH_SECONDS = 600.0
RETRY_SECONDS = 10.0
"""An id that is not known is a reason to look again, so often at most."""
MAX_KEYS = 50
MAX_BYTES = 1024 * 1024
KINDS = ("RSA", "EC")


class JwksKeys:
    """Fetched when first needed, and kept: keys that are known go on working while the address is away."""

    def __init__(self, url: str, transport: Transport, clock: Clock) -> None:
        self._url = url
        self._transport = transport
        self._clock = clock
        self._keys: dict[str | None, list[Any]] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetching = RLock()

    def find(self, key_id: str | None) -> list[Any]:
        """The keys of that id, all of them without one. Raises SignersUnknown when none could be fetched yet."""
        if self._fetched_at is None or (key_id is not None and key_id not in self._keys):
            self._ask()
        if self._fetched_at is None:
            raise SignersUnknown("The keys to verify the token cannot be fetched now.", retry_after=RETRY_SECONDS)
        if key_id is None:
            return [key for keys in self._keys.values() for key in keys]
        return self._keys.get(key_id, [])

    def refresh(self) -> None:
        """Fetch anew what is old, so that no request waits for it: every second."""
        if self._fetched_at is not None and self._clock.monotonic() - self._fetched_at > FRESH_SECONDS:
            self._ask()

    def _ask(self) -> None:
        # Those who come meanwhile wait for the same answer.
        with self._fetching:
            now = self._clock.monotonic()
            if self._asked_at is not None and now - self._asked_at < RETRY_SECONDS:
                return
            self._asked_at = now
            try:
                self._keys = self._fetch()
                self._fetched_at = self._clock.monotonic()
            except GatewayError:
                return

    def _fetch(self) -> dict[str | None, list[Any]]:
        request = UpstreamRequest(self._url, {"Accept": "application/json"}, method="GET")
        # A redirect is not followed: only the configured address has a say in who gets in.
        status, _, body = self._transport.call(request, SECONDS, Cancellation(), MAX_BYTES)
        try:
            entries: Any = loads(body)["keys"] if status == 200 else None
            usable = [(entry.get("kid"), _key(entry)) for entry in entries[:MAX_KEYS] if _is_meant(entry)]
        except (ValueError, KeyError, TypeError) as error:
            raise UpstreamBroken("the JWKS address sent no keys") from error
        keys: dict[str | None, list[Any]] = {}
        for key_id, key in usable:
            if key is not None and isinstance(key_id, str | None):
                keys.setdefault(key_id, []).append(key)
        return keys


def _is_meant(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") not in KINDS:
        return False
    may = entry.get("key_ops", ["verify"])
    return isinstance(may, list) and "verify" in may


def _key(entry: Any) -> Any:
    """None for one that cannot be used, which is no reason to do without the others."""
    try:
        return jwt.PyJWK.from_dict(entry).key
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError):
        return None
