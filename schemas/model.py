"""What is known of a model: its limits, what it can do, and what it costs from which day on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Ability = Literal[
    "streaming", "tools", "vision", "thinking", "json_object", "json_schema", "prompt_cache", "tool_stream"
]
ThinkingControl = Literal["none", "switch", "effort", "forced"]


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, valid from `since` on; None means that the price is unknown, never that it is free."""

    since: date
    input: float | None = None
    cached: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One row of the catalogue. `upstream` gives the name each kind of provider knows the model by.

    `thinking` says how it is steered: not at all, by a switch, by an effort level, or that it cannot be turned off.
    """

    id: str
    owner: str
    context: int
    max_output: int
    upstream: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    abilities: frozenset[Ability] = frozenset()
    thinking: ThinkingControl = "none"
    created: int = 0
    prices: tuple[Price, ...] = field(default=())

    def price_on(self, day: date) -> Price | None:
        """The newest price that had begun by `day`."""
        begun = [price for price in self.prices if price.since <= day]
        return max(begun, key=lambda price: price.since) if begun else None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go: a provider instance, and the name it knows the model by."""

    provider: str
    model: str
    info: ModelInfo
