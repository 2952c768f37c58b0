"""A caller's key as the store has it, and what may be said of it when it is made or changed."""

from hmac import compare_digest
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.caller import CallerRole

B = TypeVar("B", bound=BaseModel)
Dollars = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000_000)]


def _printable(text: str) -> str:
    """Names and patterns are shown in terminals and logs, where what cannot be printed may mean something."""
    if not text.isprintable():
        raise ValueError("must have no characters that cannot be printed")
    return text


Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^,:]+$"), AfterValidator(_printable)]
Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class KeyLimits(BaseModel):
    """What the key may do, in the place of what any key may."""

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent_streams: Count | None = None


class KeyBudget(BaseModel):
    """USD by the hour and the day, in the place of what any key has."""

    model_config = ConfigDict(extra="forbid")

    hourly: Dollars | None = None
    daily: Dollars | None = None


class Secret(BaseModel):
    """The SHA-256 of a key, in hex, and until when it is good: seconds since the epoch, None for as long as the key."""

    digest: str
    prefix: str
    until: float | None = None


class StoredKey(BaseModel):
    """Times are seconds since the epoch. `bootstrap` marks the one that the gateway made for its owner.

    `changed_by` did last what was done to it: changed, rotated or revoked it.
    """

    id: str
    name: str
    role: CallerRole
    models: tuple[str, ...] = ()
    limits: KeyLimits = KeyLimits()
    budget: KeyBudget = KeyBudget()
    secrets: tuple[Secret, ...] = ()
    created: float
    created_by: str
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None
    changed: float | None = None
    changed_by: str | None = None
    bootstrap: bool = False

    def is_good(self, digest: str, now: float) -> bool:
        """True when the secret with that digest opens the door now."""
        if self.revoked is not None or (self.expires is not None and self.expires <= now):
            return False
        return any(
            compare_digest(one.digest, digest) and (one.until is None or one.until > now) for one in self.secrets
        )

    def status(self, now: float) -> Literal["active", "expired", "revoked"]:
        """What it is now."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


class NewKey(BaseModel):
    """What a key is to be. `expires_in` is in seconds."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    role: CallerRole = "user"
    models: tuple[Pattern, ...] = Field((), max_length=100)
    limits: KeyLimits = KeyLimits()
    budget: KeyBudget = KeyBudget()
    expires_in: float | None = Field(None, gt=0, le=10 * 365 * 86_400, allow_inf_nan=False)


class KeyChange(BaseModel):
    """What is to be another; what is not named stays, also of the fields of `limits` and `budget`.

    Null means never for `expires_in`, and what holds for every key for a limit or a budget, or for all of them.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    role: CallerRole | None = None
    models: tuple[Pattern, ...] | None = Field(None, max_length=100)
    limits: KeyLimits | None = None
    budget: KeyBudget | None = None
    expires_in: float | None = Field(None, gt=0, le=10 * 365 * 86_400, allow_inf_nan=False)

    def applied(self, key: StoredKey, now: float) -> StoredKey:
        """The key as it is to be."""
        named = self.model_fields_set
        changes: dict[str, Any] = {
            name: value for name in named & {"name", "role", "models"} if (value := getattr(self, name)) is not None
        }
        if "limits" in named:
            changes["limits"] = _laid_over(key.limits, self.limits)
        if "budget" in named:
            changes["budget"] = _laid_over(key.budget, self.budget)
        if "expires_in" in named:
            changes["expires"] = None if self.expires_in is None else now + self.expires_in
        return key.model_copy(update=changes)


def _laid_over(before: B, wanted: B | None) -> B:
    """What there was, with what is named in the place of the same."""
    if wanted is None:
        return type(before)()
    return before.model_copy(update={name: getattr(wanted, name) for name in wanted.model_fields_set})


class KeyRotation(BaseModel):
    """For how many seconds the old secret goes on working beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap: float = Field(0, ge=0, le=30 * 86_400, allow_inf_nan=False)
