"""The settings of one provider instance, and the instances that exist without being configured."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from config.group import Group, Seconds
from config.header_check import sendable
from config.key_settings import KeyLimitSettings, KeySettings, QueueSettings, StrategyName
from config.vendors import VENDORS, Kind

KEY_FIELDS = ("api_keys", "keys", "token_file")
"""The settings that give an instance keys."""

_KEY_FIELDS = "api_keys, keys and token_file"


class ProviderSettings(Group):
    """One provider instance. `timeout` is the longest silence in seconds, its kind's unless given.

    `base_url` is its kind's unless given. `auth` says what signs a request: the key, a signature made with it (jwt),
    what the caller signed with (passthrough), or nothing (none). `strict` refuses a request of which a part cannot be
    carried. `inline_links` fetches what a client has linked, for a server that takes data only. `headers` are sent with
    every request. `betas` are the flags of `anthropic-beta` that are let through, "*" for all; None leaves that to the
    kind. `models` limits what the instance serves, to models that the catalogue knows and to others that it has of its
    own; empty means all that the catalogue knows. `keys` are keys of which more is known than in `api_keys`; what a key
    does not say of its limits, `key_limits` says for it. `strategy` None is that of `tokens`.
    """

    kind: Kind
    base_url: str = Field(pattern=r"^https?://")
    api_keys: tuple[SecretStr, ...] = ()
    keys: tuple[KeySettings, ...] = ()
    key_limits: KeyLimitSettings = KeyLimitSettings()
    strategy: StrategyName | None = None
    queue: QueueSettings = QueueSettings()
    token_file: Path | None = None
    auth: Literal["bearer", "jwt", "passthrough", "none"] = "bearer"
    timeout: Seconds = 120
    models: tuple[str, ...] = ()
    strict: bool = False
    inline_links: bool = False
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    betas: tuple[str, ...] | None = None
    enabled: bool = True

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        vendor = VENDORS.get(str(given.get("kind"))) if isinstance(given, dict) else None
        if vendor is None:
            return given
        filled: dict[str, Any] = {"timeout": vendor.timeout}
        if vendor.base_url:
            filled["base_url"] = vendor.base_url
        if vendor.keyless and not any(given.get(name) for name in KEY_FIELDS):
            filled["auth"] = "none"
        return {**filled, **given}

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return sendable(headers)

    @model_validator(mode="after")
    def _signable(self) -> "ProviderSettings":
        if self.auth == "jwt" and self.kind != "glm":
            raise ValueError("auth jwt is for the kind glm only, as no other takes a signature in place of its key")
        has_keys = any(getattr(self, name) for name in KEY_FIELDS)
        if self.auth == "passthrough" and has_keys:
            raise ValueError(f"auth passthrough sends what the caller signed with: leave out {_KEY_FIELDS}")
        if self.auth == "none" and has_keys:
            raise ValueError(f"auth none sends no key: leave out {_KEY_FIELDS}, or write auth: bearer")
        return self

    def flat_fee(self, url: str | None = None) -> bool:
        """True when nobody pays a price for each token at `url`, the instance's own unless given: it is a subscription,
        a web login, a server of one's own, or the caller's key."""
        return self.kind in ("glm-web", "ollama") or "/coding/" in (url or self.base_url) or self.auth == "passthrough"


def unconfigured(name: str) -> dict[str, Any]:
    """What holds of the instance `name` before anything is said of it: its kind, when it is called like one."""
    more = {"token_file": Path("token.json")} if name == "glm-web" else {}
    return {"kind": name, **more} if name in VENDORS else {}


def default_providers() -> dict[str, ProviderSettings]:
    """The instances that exist without being configured, in the order in which they are tried."""
    standing = (vendor.kind for vendor in VENDORS.values() if vendor.standing)
    return {kind: ProviderSettings.model_validate(unconfigured(kind)) for kind in standing}
