"""How much may be asked and spent: rates by the minute, budgets by the hour and the day."""

from typing import Annotated, Literal

from pydantic import Field

from config.group import Group
from config.model_settings import ModelMap

Dollars = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
"""More is no limit, and none that every store can count to."""


class RateSettings(Group):
    """Requests and tokens per minute; None means no limit."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None


class RateLimitSettings(RateSettings):
    """The plain ones hold for each caller's key. `models` (by patterns) and `providers` hold for all callers together.

    `sliding` counts what was asked in any sixty seconds; a `bucket` fills up evenly, and a minute's worth may be asked
    at once. `concurrent_streams` are open streamed answers of one key. A request's output is reserved with the
    `max_tokens` it asks for, `output_tokens` at most.
    """

    requests_per_minute_per_ip: Count | None = None
    tokens_per_minute_per_ip: Count | None = None
    concurrent_streams: Count | None = None
    algorithm: Literal["sliding", "bucket"] = "sliding"
    output_tokens: Count = 4096
    models: dict[str, RateSettings] = Field(default_factory=dict)
    providers: dict[str, RateSettings] = Field(default_factory=dict)


class BudgetSettings(Group):
    """USD in each hour of the clock and in each day, in UTC; None means no limit."""

    hourly_limit: Dollars | None = None
    daily_limit: Dollars | None = None


class SoftLandingSettings(Group):
    """From this share of a budget on, the models that `models` names by patterns are served by cheaper ones."""

    share: float = Field(0.9, gt=0, lt=1)
    models: ModelMap = Field(default_factory=dict)


class CostBudgetSettings(BudgetSettings):
    """The plain limits hold for everything together, `per_key` for each caller, `keys` for one by its name or id.

    `models` (by patterns) and `providers` hold for all callers together. A request's output is reserved with the
    `max_tokens` it asks for, else with what its provider is asked for, else with `output_tokens`; never more than
    `max_output_tokens`. From `warn_at` on there is an event in the log. `unknown_price`: what nobody knows the price of
    counts as the `dearest` that is known of its provider, or is refused, or is allowed and counts for nothing.
    `on_store_failure`: while the shared store is away, `open` lets each worker spend its share of each budget anew, and
    `closed` refuses.
    """

    per_key: BudgetSettings = BudgetSettings()
    keys: dict[str, BudgetSettings] = Field(default_factory=dict)
    models: dict[str, BudgetSettings] = Field(default_factory=dict)
    providers: dict[str, BudgetSettings] = Field(default_factory=dict)
    warn_at: float = Field(0.8, gt=0, le=1)
    output_tokens: Count = 4096
    max_output_tokens: Count | None = None
    unknown_price: Literal["dearest", "refuse", "allow"] = "dearest"
    on_store_failure: Literal["open", "closed"] = "open"
    soft_landing: SoftLandingSettings = SoftLandingSettings()


class UsageSettings(Group):
    """How long the sums of what was used are kept, in days; those of sessions are kept a week at most."""

    retention_days: int = Field(400, ge=1, le=3660)
