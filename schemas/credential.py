"""What a provider signs with, and what is known of its health."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel

CredentialState = Literal["available", "in_use", "degraded", "blacklisted"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret of one provider instance. `id` is a short hash of it and is the only name others see.

    `headers` are sent instead of those the provider would sign with: the caller's own, passed through untouched.
    """

    provider: str
    secret: str = field(repr=False)
    name: str | None = None
    weight: int = 1
    headers: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        # The first 12 hex digits of the SHA-256 of provider and secret.
        digest = sha256(f"{self.provider}\0{self.secret}".encode()).hexdigest()
        object.__setattr__(self, "id", digest[:12])


class TokenStats(BaseModel):
    """Counts since the credential was first seen; times in seconds, cost in USD (None: no price was known)."""

    total_requests: int = 0
    successful_requests: int = 0
    failed_requests: int = 0
    total_input_tokens: int = 0
    total_output_tokens: int = 0
    total_cost: float | None = None
    avg_response_time: float | None = None
    success_rate_last_100: float | None = None
    errors: dict[str, int] = {}


class TokenInfo(BaseModel):
    """One credential as an operator sees it; the secret is not in here."""

    id: str
    name: str | None = None
    provider: str
    status: CredentialState
    health_score: float
    in_use: int = 0
    weight: int = 1
    created_at: datetime
    last_used: datetime | None = None
    cooldown_until: datetime | None = None
    reason: str | None = None
    stats: TokenStats


class TokenStatsResponse(BaseModel):
    """All credentials together, then one by one; a rate or cost is None while nothing is known of it."""

    total_tokens: int
    tokens_by_status: dict[CredentialState, int]
    total_requests: int
    successful_requests: int
    failed_requests: int
    success_rate: float | None
    total_input_tokens: int
    total_output_tokens: int
    total_cost: float | None
    tokens: list[TokenInfo]
