"""Builds what keeps prompt caches warm, sees when one is lost, and moves a model while it is."""

from dataclasses import dataclass

from gevent import spawn

from services.affinity import Affinity
from services.aftermath import Aftermath
from services.foundation import Foundation
from services.instances import Instances
from services.placement import Placement
from services.routing import RoutingService


@dataclass(frozen=True, slots=True)
class CacheParts:
    """Where a request goes, and what follows from its answer."""

    placement: Placement
    aftermath: Aftermath


def cache_parts(base: Foundation, instances: Instances, routing: RoutingService) -> CacheParts:
    """All of them over one memory."""
    affinity = Affinity(base.recollection, base.clock)
    return CacheParts(
        placement=Placement(routing, base.failover, affinity, instances.callers_own),
        aftermath=Aftermath(affinity, base.guard, routing, instances.sites, spawn),
    )
