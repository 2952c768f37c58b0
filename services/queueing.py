"""Waits for a key's turn where keys serve a few requests at a time."""

from collections.abc import Generator, Iterator

from core.clock import Clock
from core.credentials.callers_own import CallersOwn
from core.credentials.fair_queue import FairQueue, Ticket
from core.errors import SlotsBusy
from core.waiting import pause
from schemas.model import Target
from schemas.stream import ChatChunk, KeepAlive
from services.run import Run
from services.site import Lease, Site

PAUSE = 0.1
"""Seconds between two looks at the slots, which other workers hold too."""


def lease_in_turn(
    site: Site, run: Run, target: Target, clock: Clock, deadline: float
) -> Generator[ChatChunk, None, Lease]:
    """A credential that was not tried yet; waits for a slot, until `deadline` (monotonic) at most, if need be.

    While it waits it gives signs of life. Raises what `site.lease` raises; SlotsBusy when the queue is full or the
    wait is over.
    """
    try:
        return _lease(site, run, target, clock)
    except SlotsBusy:
        if isinstance(site.pool, CallersOwn):
            raise
        ticket = site.pool.queue.join(run.call.origin.tenant)
        if ticket is None:
            raise
    return (yield from _waited(site.pool.queue, ticket, site, run, target, clock, deadline))


def _waited(
    queue: FairQueue, ticket: Ticket, site: Site, run: Run, target: Target, clock: Clock, deadline: float
) -> Generator[ChatChunk, None, Lease]:
    began, found = clock.monotonic(), None
    until = min(deadline, began + queue.max_wait)
    try:
        while isinstance(found := _lease_or_busy(site, run, target, clock, ticket), SlotsBusy):
            if clock.monotonic() >= until:
                raise found
            yield from _pause(run, clock)
        return found
    finally:
        run.outcome.queue_seconds += clock.monotonic() - began
        queue.leave(ticket, served=not isinstance(found, SlotsBusy | None))


def _lease_or_busy(site: Site, run: Run, target: Target, clock: Clock, ticket: Ticket) -> Lease | SlotsBusy:
    try:
        return _lease(site, run, target, clock, ticket)
    except SlotsBusy as busy:
        return busy


def _lease(site: Site, run: Run, target: Target, clock: Clock, ticket: Ticket | None = None) -> Lease:
    return site.lease(run.call.origin.own, frozenset(run.excluded), clock.now(), run.need(target, site, ticket))


def _pause(run: Run, clock: Clock) -> Iterator[ChatChunk]:
    pause(PAUSE, run.call.cancel)
    if run.call.signs.due(clock.monotonic()):
        yield KeepAlive()
