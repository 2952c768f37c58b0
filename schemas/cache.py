"""What prompt caches have saved and lost, as operators see it."""

from pydantic import BaseModel


class CacheRow(BaseModel):
    """One provider, model and key, or one session, or all of them: sums since it was first seen, money in USD.

    `hit_ratio` is what of all prompts was read from a cache, None while nothing is reported; `losses` are by cause.
    `saved_usd` is what reading saved less `fee_usd`, what writing cost above plain input. What was missed could not be
    read for a reason that is no loss, `missed` says which. What is wasted was written, and not read by the end of its
    life: a part of the fees. `notional_usd` is the part of the losses that nobody pays, as the plan has a flat fee;
    `notional` is that of each of these sums.
    """

    provider: str | None = None
    model: str | None = None
    credential: str | None = None
    session: str | None = None
    answers: int = 0
    prompt_tokens: int = 0
    read_tokens: int = 0
    lost_tokens: int = 0
    missed_tokens: int = 0
    saved_usd: float = 0.0
    fee_usd: float = 0.0
    lost_usd: float = 0.0
    missed_usd: float = 0.0
    notional_usd: float = 0.0
    wasted_tokens: int = 0
    wasted_usd: float = 0.0
    causes: dict[str, int] = {}
    losses: dict[str, float] = {}
    missed: dict[str, float] = {}
    notional: dict[str, float] = {}
    last_seen: float = 0.0

    @property
    def loss_ratio(self) -> float | None:
        """The share of what caches could have saved that was lost; None when nothing could be saved."""
        due = self.lost_usd + self.saved_usd
        return self.lost_usd / due if due > 0 else None

    @property
    def hit_ratio(self) -> float | None:
        """The share of all prompt tokens that was read from a cache."""
        return self.read_tokens / self.prompt_tokens if self.prompt_tokens else None


class CacheReport(BaseModel):
    """Rows by provider, model and key, and by session, the most expensive first; `total` is the sum of the former."""

    total: CacheRow

    by_key: list[CacheRow]
    by_session: list[CacheRow]
