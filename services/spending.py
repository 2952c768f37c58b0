"""Spending: what a request may use and cost is reserved ahead of it, and settled behind it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.clock import Clock
from core.pricing import cost_of, extras_of
from core.store.base import Store
from schemas.caller import Caller
from schemas.chat import ChatRequest
from schemas.limit import BudgetState
from schemas.model import ModelInfo, Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.usage import Usage
from services.bounds import HOUR, Bound
from services.budget_watch import BudgetWatch
from services.hold import Hold, Need, Part, Reserved
from services.limit_refusals import foremost, refusal
from services.limits import tightest
from services.reckoning import Asked, Reckoning
from services.stream_slots import StreamSlots

NOTHING = Need(0, 0, 0)


class Spending:
    """Reserves and settles, each in one trip to the store, exact over all workers; no trip where nothing is bounded."""

    def __init__(
        self,
        store: Store,
        reckoning: Reckoning,
        watch: BudgetWatch,
        slots: StreamSlots,
        clock: Clock,
    ) -> None:
        self._store = store
        self._reckoning = reckoning
        self._bounds = reckoning.bounds
        self._budget = reckoning.budget
        self._watch = watch
        self._slots = slots
        self._clock = clock

    def open(self, request: ChatRequest, origin: Origin, targets: Sequence[Target]) -> Hold:
        """Reserve what a chat may use, and what the dearest of `targets` would cost.

        Raises RateLimited, BudgetExceeded or Unpriced.
        """
        release = self._slots.enter(origin.caller, origin.ip, origin.request_id) if request.stream else _nothing
        try:
            return self._open(origin, targets, lambda: self._reckoning.need(request), release)
        except BaseException:
            release()
            raise

    def open_texts(self, texts: int, body: Mapping[str, Any], origin: Origin, targets: Sequence[Target]) -> Hold:
        """The same for texts of so many tokens that become vectors; `body` is the request's."""
        return self._open(origin, targets, lambda: self._reckoning.need_texts(texts, body), _nothing)

    def note(
        self,
        outcome: Outcome,
        target: Target,
        usage: Usage | None,
        body: Mapping[str, Any],
        answered: str | None = None,
    ) -> None:
        """Write down what an answer to the request with this body used, and what that cost or would have.

        Of several models that may have answered it is the one that the provider names (`answered`), else the dearest.
        """
        extras = extras_of(body, outcome.dropped)
        answerers = self._reckoning.answerers(target, body, answered)
        costs = [self._cost(one, usage, extras) for one in answerers]
        known = [cost for cost in costs if cost is not None]
        outcome.usage, outcome.cost = usage, max(known) if len(known) == len(costs) else None
        assumed = cost_of(usage, self._reckoning.assumed(target)) if outcome.cost is None else None
        outcome.assumed = None if assumed is None else max(assumed, *known, 0.0)
        billed = answerers[0] if len(answerers) == 1 else target
        outcome.billed_model, outcome.notional = billed.info.id, not self.is_billed(target.provider, outcome.credential)

    def at_most(self, request: ChatRequest, target: Target) -> Usage:
        """What an answer used of which nobody will tell: as much as was reserved for it at that target."""
        need = self._reckoning.need(request)
        return Usage(uncached=need.prompt, output=self._reckoning.longest(target, need), source="estimated")

    def is_billed(self, provider: str, credential: str | None = None) -> bool:
        """False for a provider whose answers nobody pays for one by one, with that credential or with any."""
        return self._reckoning.is_billed(provider, credential)

    def reserve_target(self, need: Need, target: Target) -> Reserved:
        """Reserve what is bounded for a provider and a model. Raises as `open` does."""
        return self._take(self._reckoning.of_target(need, target))

    def correct(self, reserved: Reserved, tokens: int | None, cost: int | None, requests: int | None = None) -> None:
        """Put what was used in the place of what was reserved; what is not known stays counted."""
        known = {"tokens": tokens, "usd": cost, "requests": requests}
        spent = {unit: amount for unit, amount in known.items() if amount is not None}
        changes: dict[float, list[tuple[Bound, int]]] = {}
        for part in reserved.parts:
            if change := spent.get(part.bound.unit, part.cost) - part.cost:
                changes.setdefault(part.at, []).append((part.bound, change))
        # Nearly always all at one time, and so in one trip.
        for at, some in changes.items():
            # What was taken of a share has that for its limit already.
            windows = [replace(bound.window(change), divided=False) for bound, change in some]
            self._store.counters.correct(windows, at, self._clock.now(), alone=reserved.alone)
            self._watch.shift(some, at)

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

    def _cost(self, target: Target, usage: Usage | None, extras: Iterable[str]) -> float | None:
        prompt = usage.prompt if usage is not None else 0
        return cost_of(usage, target.info.price_on(self._reckoning.today(), prompt, extras))

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
        need = needed()
        reserved = self._take(self._reckoning.of_caller(origin, need, targets))
        left = tightest([(part.bound, part.reading) for part in reserved.parts if part.bound.unit == "tokens"])
        return Hold(self, need, reserved, left, release)

    def _take(self, asked: Asked) -> Reserved:
        if not asked:
            return Reserved()
        now = self._clock.now()
        if unkept := self._reckoning.unkept(asked, degraded=self._store.degraded):
            raise unkept
        taken = self._store.counters.take([bound.window(cost) for bound, cost in asked], now)
        parts = [
            Part(bound.enforced(taken), cost, reading, bound.counts_at(reading, now))
            for (bound, cost), reading in zip(asked, taken.readings, strict=True)
        ]
        self._watch.see(((part.bound, part.reading) for part in parts), now)
        if not taken.granted:
            self._refuse(parts, now)
        reserved = Reserved(tuple(parts), taken.alone)
        if unkept := self._reckoning.unkept(asked, degraded=taken.alone):
            # The first to find out.
            self.correct(reserved, 0, 0)
            raise unkept
        return reserved

    def _refuse(self, parts: Sequence[Part], now: float) -> None:
        part = foremost(parts)
        raise refusal(part.bound, part.reading, part.cost, now)


def _nothing() -> None:
    """Gives back what was never held."""
