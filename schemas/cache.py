"""What prompt caches have saved and lost, as operators see it."""

from pydantic import BaseModel


class CacheRow(BaseModel):
    """One provider, model and key, or one session: sums since it was first seen, money in USD.

    `hit_ratio` is what of all prompts was read from a cache, None while nothing is reported; `losses` are by cause.
    `notional` is the part of the money that nobody pays, as the plan has a flat fee. What is wasted was written to a
    cache, above the price of plain input, and not read there by the end of its life.
    """

    provider: str | None = None
    model: str | None = None
    credential: str | None = None
    session: str | None = None
    answers: int = 0
    prompt_tokens: int = 0
    read_tokens: int = 0
    lost_tokens: int = 0
    saved_usd: float = 0.0
    lost_usd: float = 0.0
    notional_usd: float = 0.0
    wasted_tokens: int = 0
    wasted_usd: float = 0.0
    causes: dict[str, int] = {}
    losses: dict[str, float] = {}
    last_seen: float = 0.0

    @property
    def hit_ratio(self) -> float | None:
        """The share of all prompt tokens that was read from a cache."""
        return self.read_tokens / self.prompt_tokens if self.prompt_tokens else None


class CacheReport(BaseModel):
    """Rows by provider, model and key, and by session, the most expensive first."""

    by_key: list[CacheRow]
    by_session: list[CacheRow]
