"""Builds what counts requests, tokens and money."""

from dataclasses import dataclass

from config.settings import Settings
from services.bounds import BoundTable
from services.foresight import Foresight
from services.foundation import Foundation
from services.instances import Instances
from services.landing import SoftLanding
from services.limits import LimitService
from services.market import Market
from services.reckoning import Reckoning
from services.response_cache import ResponseCache
from services.routing import RoutingService
from services.spending import Spending


@dataclass(frozen=True, slots=True)
class MoneyParts:
    """Limits ahead of a request, reservations for it, and answers that need no request."""

    limits: LimitService
    spending: Spending
    landing: SoftLanding
    foresight: Foresight
    cache: ResponseCache


def money_parts(base: Foundation, settings: Settings, instances: Instances, routing: RoutingService) -> MoneyParts:
    """All of them over one table of bounds."""
    store, clock = base.store, base.clock
    rates, budget = settings.rate_limits, settings.cost_budget
    bounds = BoundTable(rates, budget)
    market = Market(instances.is_billed, instances.answer_limit, routing.dearest, routing.named)
    reckoning = Reckoning(bounds, rates, budget, market, clock)
    spending = Spending(store, reckoning, base.watch, base.slots, clock)
    return MoneyParts(
        limits=LimitService(store.counters, bounds, clock),
        spending=spending,
        landing=SoftLanding(budget.soft_landing.models, routing, spending),
        foresight=Foresight(store, reckoning, base.slots, clock),
        cache=ResponseCache(settings.response_cache, base.answers, settings.pipeline.model_dump_json()),
    )
