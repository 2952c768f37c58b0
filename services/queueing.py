"""Waits in a queue for one of the slots of a provider's credentials."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from core.cancel import Cancellation
from core.clock import Clock
from core.credentials.callers_own import CallersOwn
from core.credentials.fair_queue import FairQueue, Ticket
from core.errors import SlotsBusy
from core.signs import SignsOfLife
from core.waiting import pause
from schemas.outcome import Outcome
from schemas.stream import ChatChunk, KeepAlive
from services.site import Lease, Site

PAUSE = 0.1
"""Seconds between two looks at the slots, which other workers hold too."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who waits: for whom (`tenant`), and what takes the credential, given the place in the queue."""

    tenant: str
    cancel: Cancellation
    signs: SignsOfLife
    outcome: Outcome
    lease: Callable[[Ticket | None], Lease]


def lease_in_turn(site: Site, waiter: Waiter, clock: Clock, deadline: float) -> Generator[ChatChunk, None, Lease]:
    """A credential that was not tried yet; waits for a slot, until `deadline` (monotonic) at most, if need be.

    While it waits it gives signs of life. Raises what `waiter.lease` raises; SlotsBusy when the queue is full or the
    wait is over.
    """
    try:
        return waiter.lease(None)
    except SlotsBusy:
        if isinstance(site.pool, CallersOwn):
            raise
        ticket = site.pool.queue.join(waiter.tenant)
        if ticket is None:
            raise
    return (yield from _waited(site.pool.queue, ticket, waiter, clock, deadline))


def _waited(
    queue: FairQueue, ticket: Ticket, waiter: Waiter, clock: Clock, deadline: float
) -> Generator[ChatChunk, None, Lease]:
    began, found = clock.monotonic(), None
    until = min(deadline, began + queue.max_wait)
    try:
        while isinstance(found := _lease_or_busy(waiter, ticket), SlotsBusy):
            if clock.monotonic() >= until:
                raise found
            yield from _pause(waiter, clock)
        return found
    finally:
        waiter.outcome.queue_seconds += clock.monotonic() - began
        queue.leave(ticket, served=not isinstance(found, SlotsBusy | None))


def _lease_or_busy(waiter: Waiter, ticket: Ticket) -> Lease | SlotsBusy:
    try:
        return waiter.lease(ticket)
    except SlotsBusy as busy:
        return busy


def _pause(waiter: Waiter, clock: Clock) -> Iterator[ChatChunk]:
    pause(PAUSE, waiter.cancel)
    if waiter.signs.due(clock.monotonic()):
        yield KeepAlive()
