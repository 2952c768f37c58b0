"""Builds what keeps prompt caches warm, sees when one is lost, and moves a model while it is."""

from dataclasses import dataclass

from gevent import spawn

from services.affinity import Affinity
from services.aftermath import Aftermath
from services.background import Chore
from services.cache_guard import CacheGuard
from services.cache_ledger import CacheLedger
from services.failover import FailoverService
from services.foundation import Foundation
from services.instances import Instances
from services.placement import Placement
from services.recollection import Recollection
from services.routing import RoutingService
from services.write_watch import WriteWatch

SYNC_SECONDS = 1.0
LEDGER_SECONDS = 5.0
PRUNE_SECONDS = 300.0
WRITES_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class CacheParts:
    """Where a request goes, and what follows from its answer."""

    placement: Placement
    aftermath: Aftermath
    failover: FailoverService
    ledger: CacheLedger
    chores: tuple[Chore, ...]


def cache_parts(
    base: Foundation, instances: Instances, routing: RoutingService, recollection: Recollection
) -> CacheParts:
    """All of them over one memory."""
    store, clock, telemetry = base.store, base.clock, base.telemetry
    affinity, ledger = Affinity(recollection, clock), CacheLedger(store.records, clock)
    failover = FailoverService(store.records, store.counters, base.settings.failover, telemetry, clock)
    writes = WriteWatch(store.counters, clock)
    guard = CacheGuard(store.counters, ledger, failover, writes, telemetry, clock)
    return CacheParts(
        placement=Placement(routing, failover, affinity, instances.callers_own),
        aftermath=Aftermath(affinity, guard, routing, instances.sites, spawn),
        failover=failover,
        ledger=ledger,
        chores=(
            Chore("share_failovers", SYNC_SECONDS, failover.sync),
            Chore("share_cache_ledger", LEDGER_SECONDS, ledger.sync),
            Chore("look_at_cache_writes", WRITES_SECONDS, guard.look_at_writes),
            Chore("prune_cache_ledger", PRUNE_SECONDS, ledger.prune),
        ),
    )
