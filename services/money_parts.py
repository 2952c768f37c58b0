"""Builds what counts requests, tokens and money."""

from dataclasses import dataclass

from services.background import Chore
from services.bounds import BoundTable
from services.budget_watch import BudgetWatch
from services.foresight import Foresight
from services.foundation import Foundation
from services.instances import Instances
from services.landing import SoftLanding
from services.limits import LimitService
from services.reckoning import Reckoning
from services.response_cache import ResponseCache
from services.routing import RoutingService
from services.spending import Spending
from services.stream_slots import RENEW_SECONDS, StreamSlots
from services.usage_ledger import UsageLedger

SYNC_SECONDS = 1.0
PRUNE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class MoneyParts:
    """Limits ahead of a request, reservations for it, what it used, and answers that need no request."""

    limits: LimitService
    spending: Spending
    landing: SoftLanding
    foresight: Foresight
    usage: UsageLedger
    cache: ResponseCache
    chores: tuple[Chore, ...]


def money_parts(base: Foundation, instances: Instances, routing: RoutingService) -> MoneyParts:
    """All of them over one table of bounds."""
    settings, store, clock, telemetry = base.settings, base.store, base.clock, base.telemetry
    rates, budget = settings.rate_limits, settings.cost_budget
    bounds = BoundTable(rates, budget)
    watch = BudgetWatch(store.counters, budget, telemetry, clock, base.worker_id)
    slots = StreamSlots(store.counters, bounds.streams, clock)
    reckoning = Reckoning(bounds, rates, budget, instances.is_billed, clock)
    spending = Spending(store, reckoning, watch, slots, clock)
    usage = UsageLedger(store.records, clock, settings.usage.retention_days)
    return MoneyParts(
        limits=LimitService(store.counters, bounds, clock),
        spending=spending,
        landing=SoftLanding(budget.soft_landing.models, routing, spending),
        foresight=Foresight(store, reckoning, slots, clock),
        usage=usage,
        cache=ResponseCache(settings.response_cache, store.counters, clock, settings.pipeline.model_dump_json()),
        chores=(
            Chore("share_usage", SYNC_SECONDS, usage.sync),
            Chore("prune_usage", PRUNE_SECONDS, usage.prune),
            Chore("set_budget_gauges", SYNC_SECONDS, watch.gauge),
            Chore("hold_streams", RENEW_SECONDS, slots.renew),
        ),
    )
