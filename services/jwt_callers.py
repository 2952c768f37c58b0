"""JwtCallers: who the bearer of a token is."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from config.settings import JwtSettings
from core.errors import Unauthorized
from core.jwt_verifier import JwtVerifier
from schemas.caller import Caller, CallerRole

ROLES: tuple[CallerRole, ...] = ("admin", "operator", "user")
MAX_NAME = 64


class JwtCallers:
    """Reads the claims that the settings name. A token that names a role nobody knows is refused, not lowered."""

    def __init__(self, settings: JwtSettings, verifier: JwtVerifier) -> None:
        self._claims = settings.claims
        self._issuer = settings.issuer or ""
        self._verifier = verifier

    def caller(self, token: str) -> Caller:
        """The caller. Raises Unauthorized, and SignersUnknown while tokens cannot be verified."""
        claims = self._verifier.claims(token)
        subject = claims.get(self._claims.id)
        if not isinstance(subject, str) or not subject:
            raise Unauthorized(f"The token is refused: it has no {self._claims.id}.")
        name = claims.get(self._claims.name)
        # A subject may be of any length and hold anything.
        ident = "jwt_" + sha256(f"{self._issuer}\0{subject}".encode(errors="surrogatepass")).hexdigest()[:16]
        shown = name if isinstance(name, str) and name.isprintable() and name else subject
        return Caller(
            ident,
            shown[:MAX_NAME] if shown.isprintable() else ident,
            self._role(claims),
            models=self._models(claims),
            signed=True,
        )

    def refresh(self) -> None:
        """Fetch keys anew that are old: every second."""
        self._verifier.refresh()

    def _role(self, claims: Mapping[str, Any]) -> CallerRole:
        said = claims.get(self._claims.role, "user")
        role = next((role for role in ROLES if role == said), None)
        if role is None:
            raise Unauthorized("The token is refused: its role is none of admin, operator and user.")
        return role

    def _models(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        if self._claims.models not in claims:
            return ()
        said = claims[self._claims.models]
        models = said.split() if isinstance(said, str) else said
        if not isinstance(models, list) or not all(isinstance(one, str) and one for one in models):
            raise Unauthorized("The token is refused: its models are no list of names.")
        # An empty list is none, which is not the same as all.
        return tuple(models) or ("",)
