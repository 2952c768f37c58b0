"""What every configuration of one process stands on, and what outlives each of them."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

from config.settings import Settings
from core.catalogue import Catalogue
from core.clock import Clock
from core.counting import TokenCounter
from core.metrics import Metrics
from core.retry import RetryBudget
from core.store.base import Store
from core.store.opening import open_store
from core.tracing import Tracing
from core.transport import Transport
from schemas.caller import Caller
from services.background import Background, Chore
from services.body_room import BodyRoom
from services.bounds import BoundTable
from services.budget_watch import BudgetWatch
from services.cache_guard import CacheGuard
from services.cache_ledger import CacheLedger
from services.census import BEAT_SECONDS, Census
from services.circuits import Circuits
from services.closing import Closing
from services.configuration import LOOK_SECONDS, ConfigurationService
from services.decisions import DecisionLog
from services.failover import FailoverService
from services.key_book import KeyBook
from services.linked_media import AT_A_TIME
from services.memory import memory_limit
from services.reachability import Reachability
from services.recollection import Recollection
from services.retired import Retired
from services.stream_slots import RENEW_SECONDS, StreamSlots
from services.telemetry import Telemetry
from services.tracing import spans_of
from services.traffic import Traffic
from services.turns import FileTurn
from services.usage_ledger import UsageLedger
from services.write_watch import WriteWatch

SYNC_SECONDS = 1.0
LEDGER_SECONDS = 5.0
MEASURE_SECONDS = 5.0
PRUNE_SECONDS = 300.0
WRITES_SECONDS = 20.0
FOLD_SECONDS = 30.0
KEY_USE_SECONDS = 60.0
BODY_SHARE = 0.25
"""Of all memory; the rest is for the process itself, what it counts tokens with, and open streams.

A replica of 512 MB has as much left when four workers have 1,000 streams open.
"""
TURN_FILE = "large_body"


@dataclass(frozen=True, slots=True)
class Foundation:
    """One of each a process: the store and the wires, and all that is known from what has happened so far.

    `rng` is not for secrets, it spreads retries and breaks ties; `began` is a monotonic time.
    """

    clock: Clock
    store: Store
    telemetry: Telemetry
    transport: Transport
    fetching: Transport
    spans: Tracing | None
    worker_id: str
    rng: Random
    began: float
    counter: TokenCounter
    reachability: Reachability
    traffic: Traffic
    circuits: Circuits
    decisions: DecisionLog
    recollection: Recollection
    answers: Recollection
    failover: FailoverService
    ledger: CacheLedger
    guard: CacheGuard
    usage: UsageLedger
    watch: BudgetWatch
    slots: StreamSlots
    book: KeyBook
    configuration: ConfigurationService
    census: Census
    background: Background
    closing: Closing
    retired: Retired
    retries: RetryBudget
    bodies: BodyRoom

    def configure(self, settings: Settings, models: Iterable[str]) -> None:
        """Go by these from now on; `models` are the names that may stand in a label."""
        self.telemetry.know(models)
        self.circuits.configure(settings.circuit)
        self.retries.configure(settings.retry.budget_share, settings.retry.budget_min)
        self.failover.configure(settings.failover)
        self.watch.configure(settings.cost_budget)
        self.slots.configure(_streams(settings))
        self.usage.keep(settings.usage.retention_days)
        self.answers.resize(settings.response_cache.local_bytes)
        self.bodies.size, self.bodies.patience = _body_memory(settings), settings.server.body_wait

    def chores(self) -> tuple[Chore, ...]:
        """What is to be done whatever the configuration says."""
        records = self.store.records
        return (
            Chore("count_workers", BEAT_SECONDS, self.census.beat),
            Chore("look_at_configuration", LOOK_SECONDS, self.configuration.look),
            Chore("save_counters", SYNC_SECONDS, self.store.save),
            Chore("measure_store", MEASURE_SECONDS, self._measure),
            Chore("share_reachability", SYNC_SECONDS, lambda: self.reachability.sync(records)),
            Chore("share_traffic", SYNC_SECONDS, lambda: self.traffic.sync(records)),
            Chore("share_circuits", SYNC_SECONDS, self.circuits.sync),
            Chore("share_decisions", SYNC_SECONDS, self.decisions.share),
            Chore("read_keys", SYNC_SECONDS, self.book.sync),
            Chore("share_key_uses", KEY_USE_SECONDS, self.book.share_uses),
            Chore("share_failovers", SYNC_SECONDS, self.failover.sync),
            Chore("share_cache_ledger", LEDGER_SECONDS, self.ledger.sync),
            Chore("look_at_cache_writes", WRITES_SECONDS, self.guard.look_at_writes),
            Chore("prune_cache_ledger", PRUNE_SECONDS, self.ledger.prune),
            Chore("share_usage", SYNC_SECONDS, self.usage.sync),
            Chore("prune_usage", PRUNE_SECONDS, self.usage.prune),
            Chore("fold_metrics", FOLD_SECONDS, self.telemetry.fold),
            Chore("set_budget_gauges", SYNC_SECONDS, self.watch.gauge),
            Chore("hold_streams", RENEW_SECONDS, self.slots.renew),
            Chore("share_retired_tokens", SYNC_SECONDS, self.retired.sync),
        )

    def _measure(self) -> None:
        self.telemetry.store_filled(self.store.measure())

    def close(self) -> None:
        """Write down what was not shared yet, and let go of everything."""
        self.ledger.sync()
        self.usage.sync()
        self.book.share_uses()
        self.traffic.sync(self.store.records)
        self.census.leave()
        self.transport.close()
        self.fetching.close()
        self.store.close()


def lay_foundation(settings: Settings, catalogue: Catalogue, clock: Clock, *, shared: Path | None = None) -> Foundation:
    """All of it. Raises ValueError when the store cannot be opened.

    `shared` is a folder of the workers of this gateway, None where it is the only one.
    """
    worker_id = f"{os.getpid()}-{uuid4().hex[:8]}"
    store = open_store(settings.store, settings.server.data_dir, clock)
    store.expect(settings.workers)
    records, counters = store.records, store.counters
    telemetry = Telemetry(Metrics(shared), model_names(settings, catalogue))
    failover = FailoverService(records, counters, settings.failover, telemetry, clock)
    ledger = CacheLedger(records, clock)
    book = KeyBook(records, clock, lambda: store.degraded)
    # Read now, so that a store that goes away in the next moment shuts out nobody.
    book.sync()
    configuration = ConfigurationService(counters, telemetry, clock, worker_id)
    transport = Transport(clock, connections=settings.server.worker_connections)
    census = Census(store, clock, worker_id, configuration.of_this_worker)
    configuration.join(census)
    return Foundation(
        clock=clock,
        store=store,
        telemetry=telemetry,
        transport=transport,
        # Strangers get a transport of their own, so that they push no provider's connections out of the pool.
        fetching=Transport(clock, connections=AT_A_TIME),
        spans=spans_of(settings, transport, clock),
        worker_id=worker_id,
        rng=Random(),  # noqa: S311 - not for secrets: it spreads retries and breaks ties
        began=clock.monotonic(),
        counter=TokenCounter(),
        reachability=Reachability(clock),
        traffic=Traffic(clock),
        circuits=Circuits(settings.circuit, store, clock, worker_id),
        decisions=DecisionLog(counters if settings.store.redis_url else None, clock),
        recollection=Recollection(counters, clock),
        answers=Recollection(counters, clock, settings.response_cache.local_bytes),
        failover=failover,
        ledger=ledger,
        guard=CacheGuard(counters, ledger, failover, WriteWatch(counters, clock), telemetry, clock),
        usage=UsageLedger(records, clock, settings.usage.retention_days),
        watch=BudgetWatch(counters, settings.cost_budget, telemetry, clock, worker_id),
        slots=StreamSlots(counters, _streams(settings), clock),
        book=book,
        configuration=configuration,
        census=census,
        background=Background(),
        closing=Closing(),
        retired=Retired(),
        retries=RetryBudget(settings.retry.budget_share, settings.retry.budget_min, clock),
        bodies=BodyRoom(
            _body_memory(settings),
            settings.server.body_wait,
            clock,
            telemetry.body_refused,
            None if shared is None else FileTurn(shared / TURN_FILE),
        ),
    )


def _body_memory(settings: Settings) -> int:
    """How many bytes all bodies of a worker may take together."""
    return settings.server.body_memory or int(memory_limit() * BODY_SHARE / settings.workers)


def _streams(settings: Settings) -> Callable[[Caller | None], int | None]:
    """How many streamed answers a caller may have open."""
    return BoundTable(settings.rate_limits, settings.cost_budget).streams


def model_names(settings: Settings, catalogue: Catalogue) -> set[str]:
    """Every name of a model that the gateway knows, here or at a provider."""
    own = {name for provider in settings.providers.values() for name in provider.models}
    return own.union(*({info.id, *info.upstream.values()} for info in catalogue.models))
