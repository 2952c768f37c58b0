"""What became of one chat request, for the log, the metrics and the answer's headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.limit import Allowance, Capacity
from schemas.route import PassedOver, Plan
from schemas.usage import Usage


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one target; `error` is the code of its failure, None when it led to an answer.

    `first_content` is the time to that in seconds, None when none came.
    """

    provider: str
    model: str
    credential: str
    seconds: float
    error: str | None = None
    first_content: float | None = None


@dataclass(slots=True)
class Outcome:
    """Filled in while the request runs; times are in seconds, cost in USD with None for "no price known".

    `queue_seconds` is how long it waited for a slot, `fetch_seconds` how long for what the client has linked, and
    `capacity` what was left of the keys of the provider that was asked last. `caller` is the id of whose request it is,
    and `allowance` what is left of its tokens. `billed_model` is the model that answered, by its name in the catalogue;
    `notional` is set where nobody pays for answers one by one.
    `assumed` is what it counts for in budgets while nobody knows its cost.
    `landed` is set when a cheaper model was taken as a budget is nearly spent.
    `conversation` is the one that the request goes on with, and `turn` whether it has been kept there.
    """

    model: str
    stream: bool
    provider: str | None = None
    upstream_model: str | None = None
    credential: str | None = None
    plan: Plan | None = None
    attempts: list[Attempt] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    usage: Usage | None = None
    cost: float | None = None
    assumed: float | None = None
    finish_reason: str | None = None
    time_to_first_token: float | None = None
    upstream_seconds: float = 0.0
    queue_seconds: float = 0.0
    fetch_seconds: float = 0.0
    capacity: Capacity | None = None
    seconds: float = 0.0
    error: str | None = None
    status: int | None = None
    """The HTTP status that belongs to how it failed, which a stream that has begun cannot send any more."""
    caller: str = ""
    allowance: Allowance | None = None
    unheard: bool = False
    """True when a provider was asked for something short, and nobody waited: it is made and paid all the same."""
    billed_model: str | None = None
    notional: bool = False
    landed: bool = False
    cache: str | None = None
    """What the kept answers had for it: hit, miss, refresh or bypass; None when it is no matter of theirs."""
    conversation: str | None = None
    turn: Literal["completed", "incomplete", "unstored"] | None = None
    said: Mapping[str, Any] | None = None
    """What was answered, when that is to be logged."""

    @property
    def waited_seconds(self) -> float:
        """The time that was spent waiting for others: the providers, a slot, what is linked."""
        return self.upstream_seconds + self.queue_seconds + self.fetch_seconds

    @property
    def paid(self) -> float | None:
        """What it counts for in budgets, in USD: nothing where nobody pays for answers one by one."""
        if self.notional:
            return 0.0
        return self.assumed if self.cost is None else self.cost
