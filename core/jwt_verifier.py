"""Verifies tokens that somebody else has signed for callers (RFC 7519)."""

from collections.abc import Mapping
from typing import Any, Protocol

import jwt

from config.settings import JwtSettings
from core.clock import Clock
from core.errors import Unauthorized

MAX_TOKEN = 8192
"""Characters; a longer one is not looked at."""
MANDATORY = ("exp",)
LATEST = 1e12
"""Seconds since the epoch, some 30,000 years; what is beyond is no time."""


class KeySource(Protocol):
    """Where the keys are by which tokens are verified."""

    def find(self, key_id: str | None) -> list[Any]:
        """Those that a token with that `kid` may be signed with. Raises SignersUnknown."""

    def refresh(self) -> None:
        """Fetch anew what is old, where anything is fetched."""


class OneKey:
    """A secret, or a public key out of a file."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def find(self, key_id: str | None) -> list[Any]:
        """The key, whatever its id is."""
        return [self._key]

    def refresh(self) -> None:
        """It never grows old."""


class JwtVerifier:
    """Takes the algorithms of the configuration only: a token has no say in how it is verified."""

    def __init__(self, settings: JwtSettings, source: KeySource, clock: Clock) -> None:
        self._settings = settings
        self._source = source
        self._clock = clock
        self._algorithms = ["HS256"] if settings.secret is not None else list(settings.algorithms)

    def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says that is genuine and good now.

        Raises Unauthorized, and says no more than why; SignersUnknown while nobody knows who may sign.
        """
        if len(token) > MAX_TOKEN:
            raise _refused("it is too long")
        try:
            read = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _refused("it cannot be read") from None
        if self._settings.issuer is not None and read["payload"].get("iss") != self._settings.issuer:
            # Told before keys are looked for: somebody else's token is no reason to fetch any.
            raise _refused("it is for somebody else")
        key_id = read["header"].get("kid")
        claims = self._verified(token, self._source.find(key_id if isinstance(key_id, str) else None))
        self._check_times(claims)
        return claims

    def refresh(self) -> None:
        """Fetch keys anew that are old: every second."""
        self._source.refresh()

    def _verified(self, token: str, keys: list[Any]) -> Mapping[str, Any]:
        reason = "nobody known has signed it"
        for key in keys:
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=self._algorithms,
                    audience=self._settings.audience,
                    issuer=self._settings.issuer,
                    # The times are checked by the gateway's own clock.
                    options={
                        "require": list(MANDATORY),
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_aud": self._settings.audience is not None,
                    },
                )
            except jwt.MissingRequiredClaimError:
                reason = "it does not say when it expires"
            except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
                reason = "it is for somebody else"
            except (jwt.PyJWTError, TypeError, ValueError):
                continue
            else:
                return claims
        raise _refused(reason)

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now, leeway = self._clock.now(), self._settings.leeway
        times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
        if not all(_is_time(at) for at in times.values()):
            raise _refused("its times cannot be read")
        if times["exp"] <= now - leeway:
            raise _refused("it has expired", code="token_expired")
        if max(times.get("nbf", 0), times.get("iat", 0)) > now + leeway:
            raise _refused("it is not good yet")


def _is_time(at: Any) -> bool:
    return isinstance(at, int | float) and not isinstance(at, bool) and -LATEST <= at <= LATEST


def _refused(reason: str, code: str | None = None) -> Unauthorized:
    return Unauthorized(f"The token is refused: {reason}.", code=code)
