"""Foresight: what limits and budgets would say of a request, had it come now."""

from collections.abc import Sequence

from core.clock import Clock
from core.errors import GatewayError, Unpriced
from core.store.base import Store
from core.store.windows import look
from schemas.chat import ChatRequest
from schemas.model import Target
from schemas.origin import Origin
from services.hold import Part
from services.limit_refusals import refusal_of
from services.reckoning import Asked, Reckoning
from services.stream_slots import StreamSlots


class Foresight:
    """Takes and reserves nothing, warns nobody, and counts nothing as refused; each answer is a trip to the store."""

    def __init__(self, store: Store, reckoning: Reckoning, slots: StreamSlots, clock: Clock) -> None:
        self._store = store
        self._reckoning = reckoning
        self._slots = slots
        self._clock = clock

    def of_caller(self, request: ChatRequest, origin: Origin, targets: Sequence[Target]) -> GatewayError | None:
        """Why the caller may not send it now, whoever would answer; None when they may."""
        bounds = self._reckoning.bounds.requests(origin.caller, origin.ip)
        refused = self._refused([(bound, 1) for bound in bounds])
        if refused is None and request.stream:
            refused = self._slots.look(origin.caller, origin.ip)
        if refused is not None or self._reckoning.bounds.is_free(origin.caller):
            return refused
        try:
            return self._refused(self._reckoning.of_caller(origin, self._reckoning.need(request), targets))
        except Unpriced as unpriced:
            return unpriced

    def of_target(self, request: ChatRequest, target: Target) -> GatewayError | None:
        """Why the limits of its provider or its model pass a target over; None when they have room."""
        if not self._reckoning.bounds.has_targets:
            return None
        try:
            return self._refused(self._reckoning.of_target(self._reckoning.need(request), target))
        except Unpriced as unpriced:
            return unpriced

    def _refused(self, asked: Asked) -> GatewayError | None:
        if not asked:
            return None
        if unkept := self._reckoning.unkept(asked, degraded=self._store.degraded):
            return unkept
        now = self._clock.now()
        readings = look(self._store.counters, [bound.window(cost) for bound, cost in asked], now)
        parts = [Part(bound, cost, reading, now) for (bound, cost), reading in zip(asked, readings, strict=True)]
        full = [part for part in parts if part.cost and part.reading.retry_after]
        return refusal_of(full, now) if full else None
