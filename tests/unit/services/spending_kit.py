"""Spending over a store in this process, with a clock."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from config.settings import CostBudgetSettings, RateLimitSettings
from core.metrics import Metrics
from schemas.caller import Caller
from schemas.chat import Message, TextPart
from schemas.model import ModelInfo, Price, Target
from schemas.origin import Origin
from services.bounds import BoundTable
from services.budget_watch import BudgetWatch
from services.foresight import Foresight
from services.hold import Hold
from services.market import Market
from services.reckoning import Reckoning
from services.spending import Spending
from services.stream_slots import StreamSlots
from services.telemetry import Telemetry
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import chat_request
from tests.unit.services.store_fake import DictStore

ALICE, BOB = Caller("a", "alice", "user"), Caller("b", "bob", "user")
PRICES = (Price(date(2020, 1, 1), input=10.0, cached=1.0, output=100.0, write_short=12.5, write_long=20.0),)

DEAREST = Price(date(2020, 1, 1), 20.0, 20.0, 200.0, 20.0, 20.0)
"""What an answer counts for whose price nobody knows."""


def target(provider: str = "one", model: str = "m", prices: tuple[Price, ...] = PRICES) -> Target:
    info = ModelInfo(model, "tests", 0, 0, {}, prices=prices)
    return Target(provider, model, info)


def bare_spending(store: DictStore | None = None, clock: FakeClock | None = None) -> Spending:
    """Spending where nothing is bounded."""
    return House(store=store, clock=clock).spending


class House:
    """A spending service; another one on the same `store` is another worker."""

    def __init__(
        self,
        rates: Mapping[str, Any] | None = None,
        budget: Mapping[str, Any] | None = None,
        *,
        store: DictStore | None = None,
        clock: FakeClock | None = None,
        flat: frozenset[str] = frozenset(),
    ) -> None:
        self.clock = clock or FakeClock()
        self.store = store or DictStore()
        self.metrics = Metrics()
        telemetry = Telemetry(self.metrics)
        limits, money = RateLimitSettings(**(rates or {})), CostBudgetSettings(**(budget or {}))
        self.bounds = bounds = BoundTable(limits, money)
        self.watch = BudgetWatch(self.store.counters, money, telemetry, self.clock, f"worker {id(self)}")
        self.slots = StreamSlots(self.store.counters, bounds.streams, self.clock)
        self.answer_limits: dict[str, int] = {}
        self.dearest: dict[str, Price] = {}
        self.named: dict[str, tuple[Price, ...]] = {}
        self.issues: dict[str, str] = {}
        market = Market(
            lambda provider, _: provider not in flat,
            lambda _, one: self.answer_limits.get(one.provider),
            lambda provider, _: self.dearest.get(provider, DEAREST),
            self._named,
        )
        reckoning = Reckoning(bounds, limits, money, market, self.clock)
        self.spending = Spending(self.store, reckoning, self.watch, self.slots, self.clock)
        self.foresight = Foresight(self.store, reckoning, self.slots, self.clock)

    def open(
        self, *targets: Target, caller: Caller | None = ALICE, text: str = "Hi", stream: bool = False, **fields: Any
    ) -> Hold:
        """Reserve for a request of one short message."""
        request = replace(chat_request(stream=stream, **fields), messages=(Message("user", (TextPart(text),)),))
        origin = Origin("req-1", self.clock.monotonic(), caller=caller, ip="10.0.0.1")
        return self.spending.open(request, origin, targets or (target(),))

    def _named(self, provider: str, name: str) -> Target:
        known = target(provider, name, self.named.get(name, ()))
        return replace(known, info=replace(known.info, issue_of=self.issues.get(name)))

    def spent(self, caller: Caller | None = ALICE) -> dict[str, float]:
        """USD that are spent or reserved, by scope and window."""
        return {f"{one.scope} {one.window}": one.spent_usd for one in self.spending.budgets(caller, "10.0.0.1")}
