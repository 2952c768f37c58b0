"""Reckoning: what a request is about to take of every limit and budget that holds for it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from math import ceil
from typing import Any

from config.settings import CostBudgetSettings, RateLimitSettings
from core.clock import Clock
from core.errors import StoreUnavailable, Unpriced
from core.estimating import estimate_request
from core.named_models import asks_several, named_models
from core.pricing import extras_of, most, nano
from schemas.chat import ChatRequest
from schemas.model import Price, Target
from schemas.origin import Origin
from services.bounds import Bound, BoundTable
from services.hold import Need
from services.market import Market

LONGEST_ANSWER = 200_000
"""Tokens that are reserved at most for a model whose own limit is not known."""
TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
MOST_ANSWERS = 10_000
"""More than any server makes of one request; what is said may be any number."""
ANSWERS = ("n", "best_of", "num_return_sequences")
"""Fields by which a server makes several answers, of which the client may be shown one."""
TOO_SMALL = 1.25
"""A prompt may have so many times the tokens it was estimated to have."""

Asked = list[tuple[Bound, int]]
"""Each bound with what is asked of it."""


class Reckoning:
    """Only reckons: nothing is asked of the store, and nothing is held."""

    def __init__(
        self,
        bounds: BoundTable,
        rates: RateLimitSettings,
        budget: CostBudgetSettings,
        market: Market,
        clock: Clock,
    ) -> None:
        self.is_billed = market.is_billed
        self.bounds = bounds
        self.budget = budget
        self._rates = rates
        self._market = market
        self._clock = clock

    def need(self, request: ChatRequest) -> Need:
        """About what a chat will use."""
        asked = _longest(request)
        output = min(asked or self._rates.output_tokens, self._rates.output_tokens)
        paid = asked or self.budget.output_tokens
        sent = _unsaid if asked else partial(self._market.answer_limit, request)
        body = request.native.body
        also, answers = named_models(body), _answers(body)
        return Need(estimate_request(request), output, paid, extras_of(body), sent, also, answers)

    def need_texts(self, tokens: int, body: Mapping[str, Any]) -> Need:
        """What texts of so many tokens will use that become vectors."""
        return Need(tokens, 0, 0, also=named_models(body))

    def of_caller(self, origin: Origin, need: Need, targets: Sequence[Target]) -> Asked:
        """What is asked of the caller's own bounds, money for the dearest of `targets`. Raises Unpriced.

        Each target stands for all models that may answer there.
        """
        bounds = (*self.bounds.tokens(origin.caller, origin.ip), *self.bounds.money(origin.caller, origin.ip))
        return self._asked(bounds, need, [one for target in targets for one in self.meant(target, need.also)])

    def of_target(self, need: Need, target: Target) -> Asked:
        """What is asked of the bounds of a provider and a model. Raises Unpriced."""
        if not self.bounds.has_targets:
            return []
        meant = self.meant(target, need.also)
        bounds = dict.fromkeys(bound for one in meant for bound in self.bounds.target(one))
        return self._asked(tuple(bounds), need, meant)

    def meant(self, target: Target, also: Iterable[str]) -> tuple[Target, ...]:
        """The target, and what its provider goes on to by itself among the models that the request names beside it."""
        return (target, *(self._market.named(target.provider, name) for name in also))

    def answerers(self, target: Target, body: Mapping[str, Any], answered: str | None) -> tuple[Target, ...]:
        """Those of the models meant by a request that may have answered it, when its provider names the one that did.

        All of them where it names none of them, or where several had a share in the answer.
        """
        meant = self.meant(target, named_models(body))
        if len(meant) == 1 or answered is None or asks_several(body):
            return meant
        whose = self._market.named(target.provider, answered)
        return tuple(one for one in meant if _is_same(one, answered, whose)) or meant

    def unkept(self, asked: Asked, *, degraded: bool) -> StoreUnavailable | None:
        """The refusal of what costs money while the store that keeps budgets is away; None where that is no matter."""
        if degraded and self.budget.on_store_failure == "closed" and any(bound.unit == "usd" for bound, _ in asked):
            return StoreUnavailable("Budgets cannot be kept now, as the shared store cannot be reached.")
        return None

    def today(self) -> date:
        """The day whose prices hold."""
        return datetime.fromtimestamp(self._clock.now(), UTC).date()

    def _asked(self, bounds: Sequence[Bound], need: Need, targets: Sequence[Target]) -> Asked:
        costs = {"requests": 1, "tokens": need.tokens, "usd": self._cost(bounds, need, targets)}
        return [(bound, costs[bound.unit]) for bound in bounds]

    def _cost(self, bounds: Sequence[Bound], need: Need, targets: Sequence[Target]) -> int:
        """What the dearest of `targets` may cost, in billionths of a dollar; 0 where nobody asks or pays."""
        if not any(bound.unit == "usd" for bound in bounds):
            return 0
        billed = [target for target in targets if self.is_billed(target.provider, None)]
        costs = [self._most(target, need) for target in billed]
        if None in costs and self.budget.unknown_price != "allow":
            name = billed[costs.index(None)].info.id
            raise Unpriced(f"Nobody knows what {name} costs, and there is a budget to keep.", param="model")
        return nano(max((cost for cost in costs if cost is not None), default=0.0))

    def assumed(self, target: Target) -> Price | None:
        """The price that counts for budgets where that of the target is not known; None where nothing does."""
        known = self.budget.unknown_price == "dearest"
        return self._market.dearest(target.provider, self.today()) if known else None

    def longest(self, target: Target, need: Need) -> int:
        """The tokens that are reserved for the answer of a target, and for all that are made with it."""
        most = min(target.info.max_output or LONGEST_ANSWER, self.budget.max_output_tokens or LONGEST_ANSWER)
        return min(need.sent(target) or need.paid_output, most) * need.answers

    def _most(self, target: Target, need: Need) -> float | None:
        output = self.longest(target, need)
        # What nobody knows the price of, or may be left out on the way, is reserved at the usual one.
        extras = [extra for extra in need.extras if target.info.surcharges.get(extra, 0) > 1]
        # An estimate that is a little too small may hide that a dearer tier begins.
        prices = target.info.prices_on(self.today(), need.prompt, ceil(need.prompt * TOO_SMALL), extras)
        costs = [most(price, need.prompt, output) for price in prices]
        if None in costs:
            return most(self.assumed(target), need.prompt, output)
        return max(cost for cost in costs if cost is not None)


def _is_same(target: Target, name: str, whose: Target) -> bool:
    """True when a provider may call the target so, or one issue of it; `whose` is what it takes the name for."""
    info = target.info
    names = (target.model, info.id, *info.aliases)
    return name.lower() in map(str.lower, names) or info.id in (whose.info.id, whose.info.issue_of)


def _unsaid(_: Target) -> None:
    """Nothing is said beyond what the client says."""


def _longest(request: ChatRequest) -> int | None:
    """The tokens that an answer may have; of two limits the larger one, as some provider may go by that.

    A whole number counts as one in whatever spelling: 5000.0 is 5000 for some providers.
    """
    said = [request.native.body.get(name) for name in TOKEN_LIMITS]
    limits = [
        int(limit) for limit in (request.sampling.max_tokens, *said) if isinstance(limit, int | float) and limit > 0
    ]
    return max(limits, default=None)


def _answers(body: Mapping[str, Any]) -> int:
    """How many answers a request is for; some servers take a number in quotes for one."""
    said = (body.get(name) for name in ANSWERS)
    numbers = [int(one) for one in said if isinstance(one, int | float) or (isinstance(one, str) and _is_count(one))]
    return min(max(1, *numbers), MOST_ANSWERS) if numbers else 1


def _is_count(text: str) -> bool:
    return text.strip().isdecimal() and len(text) < len(str(MOST_ANSWERS)) * 2
