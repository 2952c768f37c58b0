"""FailoverService: which models are served by another for a while, as their prompt cache is lost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import structlog

from config.settings import FailoverSettings
from core.clock import Clock
from core.errors import StoreUnavailable
from core.routing import mapped
from core.store.base import Counters, Record, Records, Window
from schemas.failover import FailoverState
from services.telemetry import Telemetry

KIND = "failover"
MICRO = 1_000_000
"""Losses are counted in millionths of a dollar, as windows count whole units."""
MOST_USD = 1_000_000
"""No model loses more within a window."""
DECIDED_SECONDS = 10.0
"""By then every worker knows what one of them has decided."""
ENDED_SECONDS = 3600.0
"""By then every worker has noticed that a move is over."""
Reason = Literal["cache_loss", "manual"]


@dataclass(frozen=True, slots=True)
class Move:
    """From when until when a model is served by another (seconds since the epoch), why, and what it had lost."""

    since: float
    until: float
    reason: str
    loss_usd: float = 0.0


class FailoverService:
    """One state a model, shared by all workers; what this worker decides counts at once, what others do a second later.

    While the store is away each worker decides for itself what losses lead to, and tells the others afterwards; orders
    are for all of them or for none. Model names are those of the catalogue, so that an alias is the same model.
    """

    def __init__(
        self, records: Records, counters: Counters, settings: FailoverSettings, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._records = records
        self._counters = counters
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._owner = uuid4().hex
        self._moves: dict[str, Move] = {}
        self._ended: dict[str, float] = {}
        self._news: dict[str, Move] = {}
        self._lost: dict[str, tuple[float, float]] = {}
        self._log = structlog.get_logger(__name__)
        self._share()

    def configure(self, settings: FailoverSettings) -> None:
        """Go by these from now on; a move that runs ends when it was to end."""
        self._settings = settings

    def activate(self, model: str, seconds: float, reason: Reason = "manual", loss_usd: float = 0.0) -> FailoverState:
        """Serve `model` by another for `seconds` from now; a running move is only ever made longer.

        Raises StoreUnavailable when it is an order that the others cannot be told; nothing has changed then.
        """
        now, old = self._clock.now(), self._active(model)
        until = max(now + seconds, old.until if old is not None else 0.0)
        move = Move(old.since if old is not None else now, until, reason, loss_usd)
        if reason == "manual":
            self._moves[model] = move = self._write(model, move)
        else:
            self._moves[model] = move
            self._tell(model, move)
        if old is None and self._moves[model].since >= now:
            self._telemetry.failover_began(model)
            self._log.warning("failover_activated", model=model, reason=reason, seconds=seconds, loss_usd=loss_usd)
        return self.state(model)

    def is_active(self, model: str) -> bool:
        """True while `model` is served by another; costs no trip to the store."""
        return self._active(model) is not None

    def until(self, model: str) -> float | None:
        """When that ends, in seconds since the epoch; None when it is served by itself."""
        move = self._active(model)
        return None if move is None else move.until

    def clear(self, model: str) -> bool:
        """Serve `model` by itself again at once; False when it was.

        Raises StoreUnavailable when the others cannot be told; nothing has changed then.
        """
        # Another worker may have moved it a moment ago.
        self._share()
        move = self._active(model)
        if move is None:
            return False
        ended = Move(move.since, self._clock.now(), move.reason, move.loss_usd)
        self._records.put(KIND, model, asdict(ended))
        self._moves[model] = ended
        self._end(model, "manual")
        return True

    def knows(self, model: str) -> bool:
        """True when there is something to tell of it, as for `states`."""
        return model in self._moves or model in self._lost

    def stand_in(self, model: str) -> str | None:
        """The model that answers in the place of `model`, by the configured patterns; None when no other one does."""
        name = mapped(model, self._settings.models)
        return None if name is None or name.lower() == model.lower() else name

    def lost(self, model: str, usd: float) -> None:
        """The cache of `model` has lost so much; when that is too much in the window, it moves, if that is enabled."""
        if usd <= 0:
            return
        self._expire()
        if self._active(model) is not None:
            return
        total = self._summed(model, usd)
        self._lost[model] = (total or usd, self._clock.now())
        is_too_much = total is not None and total > self._settings.loss_threshold
        if total is not None and is_too_much and self._settings.enabled and self.stand_in(model) is not None:
            del self._lost[model]
            if not self._is_first(f"failover:{model}:{self._ended.get(model, 0.0):.3f}", DECIDED_SECONDS):
                self._share()
                return
            self.activate(model, self._settings.cooldown_minutes * 60, "cache_loss", total)

    def state(self, model: str) -> FailoverState:
        """How `model` stands."""
        move = self._active(model)
        if move is None:
            lost = round(self._lost_lately(model), 6)
            return FailoverState(model=model, active=False, loss_usd=lost, stand_in=self.stand_in(model))
        return FailoverState(
            model=model,
            active=True,
            since=datetime.fromtimestamp(move.since, UTC),
            until=datetime.fromtimestamp(move.until, UTC),
            reason=move.reason,
            loss_usd=round(move.loss_usd, 6),
            stand_in=self.stand_in(model),
        )

    def states(self) -> list[FailoverState]:
        """Every model that is served by another, or that this worker has seen lose anything."""
        return [self.state(model) for model in sorted({*self._moves, *self._lost})]

    def sync(self) -> None:
        """Share this worker's news, take over the others', and notice what has ended: about once a second."""
        self._share()
        self._expire()

    def _expire(self) -> None:
        for model in [model for model, move in self._moves.items() if move.until <= self._clock.now()]:
            self._end(model, "cooldown")

    def _active(self, model: str) -> Move | None:
        move = self._moves.get(model)
        return move if move is not None and move.until > self._clock.now() else None

    def _summed(self, model: str, usd: float) -> float | None:
        """What was lost within the window, this loss included; None while the store is away."""
        # What led to the last move is settled by it: a new one counts from its end.
        key = f"cache-loss:{model}:{self._ended.get(model, 0.0):.3f}"
        limit, cost = MOST_USD * MICRO, max(1, round(usd * MICRO))
        window = Window(key, limit, self._settings.window_minutes * 60, cost, divided=False)
        try:
            taken = self._counters.take([window], self._clock.now())
        except StoreUnavailable:
            return None
        return (limit - taken.readings[0].remaining) / MICRO

    def _lost_lately(self, model: str) -> float:
        """What this worker knows to be lost in the window; nothing once its last loss is out of it."""
        total, at = self._lost.get(model, (0.0, 0.0))
        return total if self._clock.now() - at < self._settings.window_minutes * 60 else 0.0

    def _is_first(self, name: str, seconds: float) -> bool:
        """True for one of the workers that see the same within so many seconds; while alone for each."""
        try:
            return self._counters.claim(name, self._owner, 1, seconds, self._clock.now())
        except StoreUnavailable:
            return True

    def _end(self, model: str, why: str) -> None:
        move = self._moves.pop(model, None)
        if move is not None and self._ended.get(model) != move.until:
            self._settle(model, move.until)
            self._telemetry.failover_ended(model)
            if self._is_first(f"failover-ended:{model}:{move.until:.3f}", ENDED_SECONDS):
                self._log.warning("failover_ended", model=model, why=why)

    def _settle(self, model: str, until: float) -> None:
        """What led to a move is over with it, whichever worker has seen it."""
        if until > self._ended.get(model, 0.0):
            self._ended[model] = until
            self._lost.pop(model, None)

    def _tell(self, model: str, move: Move) -> None:
        self._news[model] = move
        self._share()

    def _share(self) -> None:
        news, self._news = self._news, {}
        try:
            for model, move in news.items():
                self._write(model, move)
            found = self._records.all(KIND)
        except StoreUnavailable:
            self._news = {**news, **self._news}
            return
        self._take_over(found)

    def _write(self, model: str, move: Move) -> Move:
        """Tell the others; what one of them has just moved for longer stays moved. Raises StoreUnavailable."""
        now = self._clock.now()

        def joined(found: Record | None) -> Record:
            known = Move(**found) if found is not None else None
            if known is None or known.until <= now:
                return asdict(move)
            return asdict(replace(move, since=known.since, until=max(move.until, known.until)))

        return Move(**self._records.change(KIND, model, joined))

    def _take_over(self, found: Mapping[str, Record]) -> None:
        now = self._clock.now()
        for model, record in found.items():
            move = Move(**record)
            known = self._moves.get(model)
            if known is None and move.until <= now:
                self._settle(model, move.until)
            elif known is None and self._ended.get(model) != move.until:
                self._moves[model] = move
                self._telemetry.failover_began(model, counted=False)
            elif known is not None:
                self._moves[model] = move
