"""What is known of a model: its limits, what it can do, and what it costs from which day on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Ability = Literal[
    "streaming",
    "tools",
    "vision",
    "documents",
    "thinking",
    "json_object",
    "json_schema",
    "prompt_cache",
    "tool_stream",
    "embeddings",
]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
COMMON_EFFORTS: tuple[Effort, ...] = ("low", "medium", "high")
"""The levels that whatever has levels has."""

ThinkingControl = Literal["none", "switch", "effort", "budget", "adaptive", "forced"]


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, valid from `since` on; None means that the price is unknown, never that it is free.

    `cached` is for tokens read from a cache, `write_short` and `write_long` for tokens written to one for minutes or
    for an hour and more. `above` makes this the price of requests whose whole prompt has more tokens than that.
    """

    since: date
    input: float | None = None
    cached: float | None = None
    output: float | None = None
    write_short: float | None = None
    write_long: float | None = None
    above: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One row of the catalogue. `upstream` gives the name each kind of provider knows the model by.

    `context` and `max_output` are tokens, 0 for unknown. `thinking` says how it is steered: not at all, by a switch, by
    an effort level, by a budget of tokens, by effort or off (adaptive), or that it cannot be turned off. `refuses`
    names the parameters, as OpenAI spells them, that the model answers with an error (`top_k` and
    `tool_choice.required` among them). `min_cacheable` is the shortest prompt that is cached, in tokens. `efforts` are
    the levels of thinking it takes, in rising order; empty means that they are not known.
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
    refuses: frozenset[str] = frozenset()
    min_cacheable: int | None = None
    efforts: tuple[Effort, ...] = ()

    def price_on(self, day: date, prompt: int = 0) -> Price | None:
        """The newest price that had begun by `day` for a prompt of that many tokens."""
        begun = [price for price in self.prices if price.since <= day and (not price.above or price.above < prompt)]
        return max(begun, key=lambda price: (price.since, price.above)) if begun else None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go: a provider instance, and the name it knows the model by."""

    provider: str
    model: str
    info: ModelInfo
