"""Who may use the gateway: keys that stand in the configuration, and tokens that somebody else has signed."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from config.group import Group
from config.limit_settings import BudgetSettings, Count

LOOPBACK = ("localhost", "127.0.0.1", "::1")
Role = Literal["admin", "operator", "user"]


def _printable(text: str) -> str:
    """Names and patterns are shown in terminals and logs, where what cannot be printed may mean something."""
    if not text.isprintable():
        raise ValueError("must have no characters that cannot be printed")
    return text


Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class CallerLimitSettings(Group):
    """What one key may do, in the place of what any key may; None means as any key."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent_streams: Count | None = None


class ApiKeySettings(Group):
    """One caller's key. `models` are patterns of the models it may use; all of them where none is given."""

    name: Name
    key: SecretStr
    role: Role = "user"
    models: tuple[Pattern, ...] = ()
    limits: CallerLimitSettings = CallerLimitSettings()
    budget: BudgetSettings = BudgetSettings()


class ClaimSettings(Group):
    """Where a token says who its bearer is."""

    id: Name = "sub"
    name: Name = "name"
    role: Name = "role"
    models: Name = "models"


class JwtSettings(Group):
    """Tokens are taken when one of `secret` (HS256), `public_key_file` (PEM) or `jwks_url` is set.

    The algorithms are those of the configuration, never what a token says. `leeway` is for clocks that differ, in
    seconds. A token without a role is a user's.
    """

    secret: SecretStr | None = Field(None, min_length=32)
    public_key_file: Path | None = None
    jwks_url: str | None = None
    algorithms: tuple[Literal["RS256", "ES256"], ...] = Field(("RS256", "ES256"), min_length=1)
    audience: str | None = None
    issuer: str | None = None
    leeway: float = Field(30, ge=0, le=300)
    claims: ClaimSettings = ClaimSettings()

    @property
    def enabled(self) -> bool:
        """True when tokens are taken."""
        return any((self.secret, self.public_key_file, self.jwks_url))

    @field_validator("jwks_url")
    @classmethod
    def _trustworthy(cls, url: str | None) -> str | None:
        """Whoever can change what comes from there can let anybody in."""
        parts = urlsplit(url or "")
        encrypted = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if url is not None and not (encrypted and parts.hostname and "@" not in parts.netloc):
            raise ValueError("must be an https:// address without a password, or http:// on this machine")
        return url

    @model_validator(mode="after")
    def _one_source(self) -> "JwtSettings":
        if sum(source is not None for source in (self.secret, self.public_key_file, self.jwks_url)) > 1:
            raise ValueError("set one of secret, public_key_file and jwks_url")
        return self


class AccessSettings(Group):
    """Who may use the gateway; with no key and no tokens it is open to its own machine.

    Keys that were revoked or have expired are listed for `key_retention_days`; None keeps them.
    """

    keys: tuple[ApiKeySettings, ...] = ()
    key_retention_days: float | None = Field(90, gt=0, allow_inf_nan=False)
    jwt: JwtSettings = JwtSettings()
