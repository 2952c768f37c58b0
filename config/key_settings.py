"""What may be said of the keys of a provider instance: their limits, their rank, and how requests wait for them."""

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from config.group import Group

StrategyName = Literal["round_robin", "least_loaded", "weighted", "priority"]


class KeyLimitSettings(Group):
    """What one key may do in any minute, and how many requests it may serve at a time; None means no limit."""

    requests_per_minute: int | None = Field(None, ge=1)
    input_tokens_per_minute: int | None = Field(None, ge=1)
    output_tokens_per_minute: int | None = Field(None, ge=1)
    slots: int | None = Field(None, ge=1)


class KeySettings(KeyLimitSettings):
    """One key. `priority` 0 goes first; keys with the same `account` are known to share its limits and its money.

    `base_url` is where it is used instead of the instance's address.
    """

    key: SecretStr = Field(min_length=1)
    base_url: str | None = Field(None, pattern=r"^https?://")
    name: str | None = None
    weight: int = Field(1, ge=1, le=1000)
    priority: int = Field(0, ge=0, le=2)
    account: str | None = None

    @field_validator("key", mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        return given.strip() if isinstance(given, str) else given


class QueueSettings(Group):
    """How long a request waits for a free slot, in seconds, and how many wait on one worker; 0 for not at all."""

    max_wait: float = Field(30, ge=0)
    max_waiting: int = Field(100, ge=0)
