"""What is known of a model: its limits, what it can do, and what it costs from which day on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
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
    `provider` is the instance, or the kind of instances, whose price alone it is, ahead of those of all.
    """

    since: date
    input: float | None = None
    cached: float | None = None
    output: float | None = None
    write_short: float | None = None
    write_long: float | None = None
    above: int = 0
    provider: str | None = None

    def times(self, factor: float | None) -> "Price":
        """The price so many times; unknown when the factor is."""
        return replace(
            self,
            input=_product(self.input, factor),
            cached=_product(self.cached, factor),
            output=_product(self.output, factor),
            write_short=_product(self.write_short, factor),
            write_long=_product(self.write_long, factor),
        )


def _newest(prices: Iterable[Price], day: date, prompt: int) -> Price | None:
    begun = [price for price in prices if price.since <= day and (not price.above or price.above < prompt)]
    return max(begun, key=lambda price: (price.since, price.above), default=None)


def _product(rate: float | None, factor: float | None) -> float | None:
    return None if rate is None or factor is None else float(Decimal(repr(rate)) * Decimal(repr(factor)))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One row of the catalogue. `upstream` gives the name each kind of provider knows the model by.

    `context` and `max_output` are tokens, 0 for unknown. `thinking` says how it is steered: not at all, by a switch, by
    an effort level, by a budget of tokens, by effort or off (adaptive), or that it cannot be turned off. `refuses`
    names the parameters, as OpenAI spells them, that the model answers with an error (`top_k` and
    `tool_choice.required` among them). `min_cacheable` is the shortest prompt that is cached, in tokens. `efforts` are
    the levels of thinking it takes, in rising order; empty means that they are not known. `surcharges` say by how much
    the price is multiplied for wishes such as `speed=fast`. `own_prices` go ahead of `prices` wherever one of them
    holds. `issue_of` is the id of the model that this is an issue of.
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
    own_prices: tuple[Price, ...] = ()
    refuses: frozenset[str] = frozenset()
    min_cacheable: int | None = None
    efforts: tuple[Effort, ...] = ()
    surcharges: Mapping[str, float] = field(default_factory=dict)
    issue_of: str | None = None

    def priced_at(self, *providers: str) -> "ModelInfo":
        """The same with the prices that it has at the first of `providers` that has any of its own."""
        named = {price.provider for price in self.prices}
        whose = next((name for name in providers if name in named), None)
        if whose is None:
            return self
        return replace(self, own_prices=tuple(price for price in self.prices if price.provider == whose))

    def price_on(self, day: date, prompt: int = 0, extras: Iterable[str] = ()) -> Price | None:
        """The newest price that had begun by `day` for a prompt of that many tokens.

        Prices of providers count as `own_prices` alone. `extras` are wishes that have a price of their own; that of one
        that is not among the surcharges is unknown.
        """
        general = [price for price in self.prices if price.provider is None]
        price = _newest(self.own_prices, day, prompt) or _newest(general, day, prompt)
        if price is None:
            return None
        for extra in extras:
            price = price.times(self.surcharges.get(extra))
        return price

    def prices_on(self, day: date, least: int, most: int, extras: Collection[str] = ()) -> set[Price | None]:
        """Every price that may hold on that day for a prompt of `least` to `most` tokens."""
        begins = {price.above + 1 for price in (*self.prices, *self.own_prices) if least <= price.above < most}
        return {self.price_on(day, prompt, extras) for prompt in (least, most, *begins)}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go: a provider instance, and the name it knows the model by."""

    provider: str
    model: str
    info: ModelInfo
