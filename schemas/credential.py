"""What a provider signs with, and what is known of its health."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel

from schemas.limit import UNLIMITED, KeyLimits, LimitKind

CredentialState = Literal["available", "in_use", "degraded", "blacklisted"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret of one provider instance. `id` is a short hash of it and is the only name others see.

    `headers` are sent instead of those the provider would sign with: the caller's own, passed through untouched.
    `priority` 0 goes before 1 and 2, `slots` is how many requests it serves at a time.

    Credentials of one `vendor` (None: of this instance alone) with the same `account` are known to share its money, its
    plan and its rate. So are those with the same secret and the same `purse`, as a key may have a plan at one address
    and money at another. `owners` are the names of who is behind it; it shares an account with all that have one.
    """

    provider: str
    secret: str = field(repr=False)
    name: str | None = None
    weight: int = 1
    headers: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    priority: int = 0
    slots: int | None = None
    account: str | None = None
    limits: KeyLimits = UNLIMITED
    vendor: str | None = None
    purse: str = ""
    id: str = field(init=False)
    owners: frozenset[tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The first 12 hex digits of the SHA-256 of provider and secret.
        digest = sha256(f"{self.provider}\0{self.secret}".encode()).hexdigest()
        object.__setattr__(self, "id", digest[:12])
        vendor = self.vendor or self.provider
        account = {("account", vendor, self.account)} if self.account is not None else set()
        key = {("key", vendor, self.purse, self.secret)} if self.secret else set()
        object.__setattr__(self, "owners", frozenset(account | key))


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


class LimitInfo(BaseModel):
    """One limit of a credential. `model` None means all models; `learned` that the provider has told it.

    `resets_at` is when it is whole again as the provider tells it; a limit that was configured slides over a minute.
    """

    kind: LimitKind
    limit: int | None = None
    remaining: int
    resets_at: datetime | None = None
    model: str | None = None
    learned: bool = False


class TokenInfo(BaseModel):
    """One credential as an operator sees it; the secret is not in here.

    `slots` is how many requests it serves at a time, `cooling_models` until when it is not used for which model, and
    `next_check` when a blacklisted one is asked again whether it works.
    """

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
    priority: int = 0
    account: str | None = None
    slots: int | None = None
    limits: list[LimitInfo] = []
    cooling_models: dict[str, datetime] = {}
    next_check: datetime | None = None
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
