"""Who is calling."""

from dataclasses import dataclass
from typing import Literal

from schemas.limit import CallerLimits

CallerRole = Literal["admin", "operator", "user"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A known caller; `id` is stable and safe to log, `anonymous` is set when the gateway is open.

    `signed` is set for the bearer of a token, whose `name` is what the token says and not what an operator has given.
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
    signed: bool = False

    @property
    def known_as(self) -> tuple[str, ...]:
        """What a configuration may call it: a token could say that its bearer is called what any key is called."""
        return (self.id,) if self.signed else (self.id, self.name)
