"""Spending: what a request may use and cost is reserved ahead of it, and settled behind it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from math import ceil
from typing import Any

from config.settings import CostBudgetSettings, RateLimitSettings
from core.clock import Clock
from core.counting import estimate_request
from core.errors import StoreUnavailable, Unpriced
from core.pricing import cost_of, extras_of, most, nano
from core.store.base import Store
from schemas.caller import Caller
from schemas.chat import ChatRequest
from schemas.limit import BudgetState
from schemas.model import ModelInfo, Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.usage import Usage
from services.bounds import HOUR, Bound, BoundTable
from services.budget_watch import BudgetWatch
from services.hold import Hold, Need, Part, Reserved
from services.limit_refusals import refusal
from services.limits import tightest
from services.stream_slots import StreamSlots

NOTHING = Need(0, 0, 0)
UNKEPT = "Budgets cannot be kept now, as the shared store cannot be reached."
LONGEST_ANSWER = 200_000
"""Tokens that are reserved at most for a model whose own limit is not known."""
TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
TOO_SMALL = 1.25
"""A prompt may have so many times the tokens it was estimated to have."""


class Spending:
    """Reserves and settles, each in one trip to the store, exact over all workers; no trip where nothing is bounded."""

    def __init__(
        self,
        store: Store,
        bounds: BoundTable,
        rates: RateLimitSettings,
        budget: CostBudgetSettings,
        is_billed: Callable[[str, str | None], bool],
        watch: BudgetWatch,
        slots: StreamSlots,
        clock: Clock,
    ) -> None:
        """`is_billed` takes the name of a provider, and the id of a credential or None for any."""
        self._is_billed = is_billed
        self._store = store
        self._bounds = bounds
        self._rates = rates
        self._budget = budget
        self._watch = watch
        self._slots = slots
        self._clock = clock

    def open(self, request: ChatRequest, origin: Origin, targets: Sequence[Target]) -> Hold:
        """Reserve what a chat may use, and what the dearest of `targets` would cost.

        Raises RateLimited, BudgetExceeded or Unpriced.
        """
        asked, rates, budget = _longest(request), self._rates, self._budget
        output = min(asked or rates.output_tokens, rates.output_tokens)
        paid = asked or budget.output_tokens
        release = self._slots.enter(origin.caller, origin.ip, origin.request_id) if request.stream else _nothing
        try:
            extras = extras_of(request.native.body)
            return self._open(origin, targets, lambda: Need(estimate_request(request), output, paid, extras), release)
        except BaseException:
            release()
            raise

    def open_texts(self, texts: int, origin: Origin, targets: Sequence[Target]) -> Hold:
        """The same for texts of so many tokens that become vectors."""
        return self._open(origin, targets, lambda: Need(texts, 0, 0), _nothing)

    def note(self, outcome: Outcome, target: Target, usage: Usage | None, body: Mapping[str, Any]) -> None:
        """Write down what an answer to the request with this body used, and what that cost or would have."""
        prompt, extras = usage.prompt if usage is not None else 0, extras_of(body, outcome.dropped)
        price = target.info.price_on(self._today(), prompt, extras)
        outcome.usage, outcome.cost = usage, cost_of(usage, price)
        outcome.billed_model, outcome.notional = target.info.id, not self.is_billed(target.provider, outcome.credential)

    def is_billed(self, provider: str, credential: str | None = None) -> bool:
        """False for a provider whose answers nobody pays for one by one, with that credential or with any."""
        return self._is_billed(provider, credential)

    def reserve_target(self, need: Need, target: Target) -> Reserved:
        """Reserve what is bounded for a provider and a model. Raises as `open` does."""
        bounds = tuple(self._bounds.target(target)) if self._bounds.has_targets else ()
        costs = {"requests": 1, "tokens": need.tokens, "usd": self._cost(bounds, need, [target])}
        return self._take([(bound, costs[bound.unit]) for bound in bounds])

    def correct(self, reserved: Reserved, tokens: int, cost: int | None) -> None:
        """Put what was used in the place of what was reserved; requests stay counted, and money that nobody knows."""
        spent = {"tokens": tokens} if cost is None else {"tokens": tokens, "usd": cost}
        changes = [(part.bound, spent.get(part.bound.unit, part.cost) - part.cost) for part in reserved.parts]
        # What was taken of a share has that for its limit already.
        windows = [replace(bound.window(change), divided=False) for bound, change in changes if change]
        if windows:
            self._store.counters.correct(windows, reserved.at, self._clock.now(), alone=reserved.alone)
            self._watch.shift(changes, reserved.at)

    def near_its_end(self, caller: Caller | None, ip: str) -> bool:
        """True when so much of a budget of the caller is spent that cheaper models are to be used."""
        landing = self._budget.soft_landing
        return bool(landing.models) and self._watch.share(self._bounds.money(caller, ip)) >= landing.share

    @property
    def bounds_targets(self) -> bool:
        """True when any provider or model is bounded."""
        return self._bounds.has_targets

    def targets_near_their_end(self, targets: Sequence[Target]) -> bool:
        """The same of budgets of providers and models, where not one of `targets` has more left."""
        share = self._budget.soft_landing.share
        bounds = [tuple(self._bounds.target(target)) for target in targets]
        return all(self._watch.share(some) >= share for some in bounds)

    def budgets(self, caller: Caller | None, ip: str) -> list[BudgetState]:
        """How every budget stands that holds for the caller, what runs now included."""
        return self._states(tuple(self._bounds.money(caller, ip)))

    def shared_budgets(self, models: Iterable[ModelInfo]) -> list[BudgetState]:
        """How the budgets of providers and of `models` stand. Of those that a pattern gives, what is not spent of is
        left out."""
        named = dict(self._bounds.models_money(models))
        states = self._states((*self._bounds.providers_money(), *named))
        shown = {bound.name for bound, is_named in named.items() if is_named}
        return [one for one in states if one.scope == "provider" or one.spent_usd or one.name in shown]

    def _states(self, bounds: Sequence[Bound]) -> list[BudgetState]:
        now = self._clock.now()
        if not bounds:
            return []
        taken = self._store.counters.take([bound.window(0) for bound in bounds], now)
        readings = list(zip((bound.enforced(taken) for bound in bounds), taken.readings, strict=True))
        self._watch.see(readings, now)
        return [
            BudgetState(
                scope=bound.scope,
                name=bound.name,
                window="hourly" if bound.seconds == HOUR else "daily",
                limit_usd=bound.limit / 1e9,
                spent_usd=bound.spent(reading) / 1e9,
                resets_at=bound.ends_at(now),
            )
            for bound, reading in readings
        ]

    def _open(
        self, origin: Origin, targets: Sequence[Target], needed: Callable[[], Need], release: Callable[[], None]
    ) -> Hold:
        if self._bounds.is_free(origin.caller):
            return Hold(self, NOTHING, release=release)
        tokens = tuple(self._bounds.tokens(origin.caller, origin.ip))
        money = tuple(self._bounds.money(origin.caller, origin.ip))
        need = needed()
        costs = {"tokens": need.tokens, "usd": self._cost(money, need, targets)}
        reserved = self._take([(bound, costs[bound.unit]) for bound in (*tokens, *money)])
        left = tightest([(part.bound, part.reading) for part in reserved.parts[: len(tokens)]])
        return Hold(self, need, reserved, left, release)

    def _cost(self, bounds: Sequence[Bound], need: Need, targets: Sequence[Target]) -> int:
        """What the dearest of `targets` may cost, in billionths of a dollar; 0 where nobody asks or pays."""
        if not any(bound.unit == "usd" for bound in bounds):
            return 0
        billed = [target for target in targets if self.is_billed(target.provider)]
        costs = [self._dearest(target, need) for target in billed]
        if None in costs and self._budget.unknown_price == "refuse":
            name = billed[costs.index(None)].info.id
            raise Unpriced(f"Nobody knows what {name} costs, and there is a budget to keep.", param="model")
        return nano(max((cost for cost in costs if cost is not None), default=0.0))

    def _dearest(self, target: Target, need: Need) -> float | None:
        output = min(need.paid_output, target.info.max_output or LONGEST_ANSWER)
        # What nobody knows the price of, or may be left out on the way, is reserved at the usual one.
        extras = [extra for extra in need.extras if target.info.surcharges.get(extra, 0) > 1]
        # An estimate that is a little too small may hide that a dearer tier begins.
        prices = {
            target.info.price_on(self._today(), prompt, extras)
            for prompt in (need.prompt, ceil(need.prompt * TOO_SMALL))
        }
        costs = [most(price, need.prompt, output) for price in prices]
        return None if None in costs else max(cost for cost in costs if cost is not None)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now(), UTC).date()

    def _take(self, asked: Sequence[tuple[Bound, int]]) -> Reserved:
        if not asked:
            return Reserved()
        now, paid = self._clock.now(), any(bound.unit == "usd" for bound, _ in asked)
        if paid and self._store.degraded and self._budget.on_store_failure == "closed":
            raise StoreUnavailable(UNKEPT)
        taken = self._store.counters.take([bound.window(cost) for bound, cost in asked], now)
        parts = [
            Part(bound.enforced(taken), cost, reading)
            for (bound, cost), reading in zip(asked, taken.readings, strict=True)
        ]
        self._watch.see(((part.bound, part.reading) for part in parts), now)
        if not taken.granted:
            self._refuse(parts, now)
        reserved = Reserved(tuple(parts), now, taken.alone)
        if paid and taken.alone and self._budget.on_store_failure == "closed":
            # The first to find out.
            self.correct(reserved, 0, 0)
            raise StoreUnavailable(UNKEPT)
        return reserved

    def _refuse(self, parts: Sequence[Part], now: float) -> None:
        part = max(parts, key=lambda part: (part.reading.remaining < part.cost, part.reading.retry_after))
        raise refusal(part.bound, part.reading, part.cost, now)


def _longest(request: ChatRequest) -> int | None:
    """The tokens that an answer may have; of two limits the larger one, as some provider may go by that."""
    said = [request.native.body.get(name) for name in TOKEN_LIMITS]
    limits = [limit for limit in (request.sampling.max_tokens, *said) if isinstance(limit, int) and limit > 0]
    return max(limits, default=None)


def _nothing() -> None:
    """Gives back what was never held."""
