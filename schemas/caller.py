"""Who is calling."""

from dataclasses import dataclass
from typing import Literal

from schemas.limit import CallerLimits

CallerRole = Literal["admin", "operator", "user"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A known caller; `id` is stable and safe to log, `anonymous` is set when the gateway is open.

    `models` are patterns of the models that it may use, all where none is given. Its budgets are in USD and stand in
    the place of those that every key has.
    """

    id: str
    name: str
    role: CallerRole
    anonymous: bool = False
    limits: CallerLimits | None = None
    models: tuple[str, ...] = ()
    hourly_budget: float | None = None
    daily_budget: float | None = None
