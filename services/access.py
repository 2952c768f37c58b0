"""AccessService: who a caller is, and where they may go."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest

from config.settings import ApiKeySettings
from core.errors import Forbidden, Unauthorized
from schemas.caller import Caller, CallerRole

EVERYONE: frozenset[CallerRole] = frozenset({"admin", "operator", "user"})
OPERATORS: frozenset[CallerRole] = frozenset({"admin", "operator"})
ADMINS: frozenset[CallerRole] = frozenset({"admin"})

PUBLIC = frozenset({"health.live", "health.ready", "messages.probe"})
"""Routes that need no key: what a container's probe asks, and clients that look whether anybody is there."""

UNLIMITED = PUBLIC | {"health.report", "metrics.scrape"}
"""Routes that monitoring asks, whose calls are not counted against a caller."""

ROLES: Mapping[str, frozenset[CallerRole]] = {
    "chat.v1": EVERYONE,
    "chat.v2": EVERYONE,
    "messages.create": EVERYONE,
    "messages.count": EVERYONE,
    "embeddings.create": EVERYONE,
    "models.listing": EVERYONE,
    "models.one": EVERYONE,
    "health.report": OPERATORS,
    "metrics.scrape": OPERATORS,
    "tokens.listing": OPERATORS,
    "tokens.stats": OPERATORS,
    "tokens.reset": OPERATORS,
    "providers.listing": OPERATORS,
    "providers.one": OPERATORS,
    "providers.reset": OPERATORS,
    "failover.listing": OPERATORS,
    "failover.one": OPERATORS,
    "failover.activate": OPERATORS,
    "failover.clear": OPERATORS,
    "usage.report": EVERYONE,
    "route.explain": OPERATORS,
    "route.explained": OPERATORS,
}
"""Which roles may use which route; a route that is not here is closed to all but admins."""

OPEN = Caller("anonymous", "anonymous", "admin", anonymous=True)


class AccessService:
    """Keys are kept as SHA-256 only. With no key configured, this machine itself is let in and nobody else."""

    def __init__(self, keys: Sequence[ApiKeySettings]) -> None:
        self._callers = tuple((_digest(k.key.get_secret_value()), _caller(k)) for k in keys)

    @property
    def is_open(self) -> bool:
        """True when no key is configured."""
        return not self._callers

    def is_public(self, endpoint: str | None) -> bool:
        """True for routes that need no key."""
        return endpoint in PUBLIC

    def authenticate(self, key: str | None, *, local: bool) -> Caller:
        """The caller that `key` belongs to. Raises Unauthorized."""
        if self.is_open:
            if local:
                return OPEN
            raise Unauthorized(
                "This gateway has no keys configured and is open to its own machine only. "
                "Set GATEWAY_API_KEYS to let others in.",
                code="no_keys_configured",
            )
        if key is None:
            raise Unauthorized("No API key was given. Send it as 'Authorization: Bearer KEY'.", code="missing_api_key")
        digest, found = _digest(key), None
        for known, caller in self._callers:
            # All are compared, so that the time taken says nothing of which one fits.
            if compare_digest(known, digest):
                found = caller
        if found is None:
            raise Unauthorized("The API key is not known here.")
        return found

    def knows(self, key: str) -> bool:
        """True when `key` is a caller's key of this gateway."""
        digest = _digest(key)
        # All are compared, so that the time taken says nothing of which one fits.
        return sum(compare_digest(known, digest) for known, _ in self._callers) > 0

    def named(self, name: str) -> Caller | None:
        """The first caller of that name."""
        return next((caller for _, caller in self._callers if caller.name == name), None)

    def name_of(self, caller_id: str) -> str | None:
        """What the caller with that id is called; None when it is not known any more."""
        return next((caller.name for _, caller in self._callers if caller.id == caller_id), None)

    def authorize(self, caller: Caller, endpoint: str | None) -> None:
        """Raises Forbidden when the caller's role may not use the route; no route at all is everyone's 404."""
        if endpoint is not None and caller.role not in ROLES.get(endpoint, ADMINS):
            raise Forbidden(f"The role {caller.role!r} may not do this.")


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _caller(key: ApiKeySettings) -> Caller:
    return Caller(_digest(key.key.get_secret_value()).hex()[:12], key.name, key.role)
