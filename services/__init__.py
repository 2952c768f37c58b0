"""The one place that builds everything and hands each part its own slice of the settings."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from uuid import uuid4

from config.settings import Settings
from core.addresses import Reach
from core.catalogue import Catalogue, load_catalogue
from core.clock import Clock, SystemClock
from core.counting import TokenCounter
from core.fetcher import Fetcher
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.redaction import Redactor
from core.retry import Backoff
from core.store.base import Store
from core.store.opening import open_store
from core.transport import Transport
from schemas.model import ModelInfo
from services.access import AccessService
from services.access_building import tokens_of
from services.background import Background, Chore
from services.cache_ledger import CacheLedger
from services.cache_parts import cache_parts
from services.census import BEAT_SECONDS, Census
from services.chat import ChatService
from services.circuits import Circuits
from services.closing import Closing
from services.conversation_copies import ConversationCopies
from services.conversation_purge import ConversationPurge
from services.conversations import ConversationService
from services.counting import CountingService
from services.decisions import DecisionLog
from services.dispatch import Dispatcher
from services.embeddings import EmbeddingService
from services.exchange_log import ExchangeLog, Write
from services.explain import ExplainService
from services.failover import FailoverService
from services.foundation import Foundation
from services.health import HealthService, memory_share
from services.instances import InstanceBuilder
from services.interceptors import MetricsInterceptor, ResponseLogInterceptor
from services.key_book import KeyBook
from services.key_purge import KeyPurge
from services.limits import LimitService
from services.linked_media import AT_A_TIME, LinkedMedia
from services.models import ModelService
from services.money_parts import money_parts
from services.once import Once
from services.preparation import Preparation
from services.probing import Prober
from services.providers import ProviderService
from services.reachability import Reachability
from services.recollection import Recollection
from services.routing import RoutingService
from services.spending import Spending
from services.telemetry import Telemetry
from services.thoughts import ThoughtMemory
from services.tokens import TokenService
from services.tracing import TracingService, tracing_of
from services.traffic import Traffic
from services.usage_ledger import UsageLedger

SYNC_SECONDS = 1.0
RELOAD_SECONDS = 2.0
KEY_USE_SECONDS = 60.0
PURGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a blueprint or a middleware may need."""

    settings: Settings
    clock: Clock
    store: Store
    access: AccessService
    exchanges: ExchangeLog
    keys: KeyBook
    limits: LimitService
    spending: Spending
    usage: UsageLedger
    telemetry: Telemetry
    tokens: TokenService
    models: ModelService
    routing: RoutingService
    chat: ChatService
    conversations: ConversationService
    conversation_copies: ConversationCopies
    counting: CountingService
    embeddings: EmbeddingService
    health: HealthService
    providers: ProviderService
    explain: ExplainService
    failover: FailoverService
    cache_ledger: CacheLedger
    decisions: DecisionLog
    tracing: TracingService | None
    background: Background
    closing: Closing
    set_gauges: Callable[[], None]
    close: Callable[[], None]


def build_services(
    settings: Settings,
    clock: Clock | None = None,
    *,
    multiprocess_metrics: bool = False,
    secrets: Sequence[str] = (),
    write_exchange: Write | None = None,
    shipped: Sequence[ModelInfo] | None = None,
) -> Services:
    """All services for `settings`. Nothing runs in the background until `background.start()`.

    `secrets` are never written down; `write_exchange` takes whole requests and answers, if they are logged. `shipped`
    are the models that we ship, if they have been read already.

    Raises ValueError when the store cannot be opened or the models in `settings` are not consistent.
    """
    clock, rng = clock or SystemClock(), Random()  # noqa: S311 - not for secrets: it spreads retries and breaks ties
    worker_id = f"{os.getpid()}-{uuid4().hex[:8]}"
    store = open_store(settings.store, settings.server.data_dir, clock)
    store.expect(settings.workers)
    catalogue = load_catalogue(settings.models, shipped=shipped)
    telemetry = Telemetry(Metrics(multiprocess=multiprocess_metrics), _model_names(settings, catalogue))
    transport = Transport(clock, connections=settings.server.worker_connections)
    base = Foundation(settings, clock, store, telemetry, transport, worker_id, rng)
    reachability, traffic = Reachability(clock), Traffic(clock)
    circuits = Circuits(settings.circuit, store, clock, worker_id)
    decisions = DecisionLog(store.counters if settings.store.redis_url else None, clock)

    instances = InstanceBuilder(settings, store, clock, worker_id, rng, telemetry).build()
    pools, sites = instances.pools, instances.sites
    prober = Prober(instances.sites, transport, reachability)
    tokens = TokenService(pools, instances.sources, prober, store.counters, settings.tokens, clock, worker_id)
    routing = RoutingService(catalogue, instances.routes, instances.is_usable, settings.model_map, settings.routes)
    recollection = Recollection(store.counters, clock)
    thoughts = ThoughtMemory(recollection)
    caches = cache_parts(base, instances, routing, recollection)
    money = money_parts(base, instances, routing)
    book = KeyBook(store.records, clock, lambda: store.degraded)
    # Read now, so that a store that goes away in the next moment shuts out nobody.
    book.sync()
    access = AccessService(settings.access.keys, book, tokens_of(settings.access.jwt, transport, clock))
    counter, closing = TokenCounter(), Closing()
    pipeline = Pipeline(settings.pipeline, counter)
    preparation = Preparation(money.landing, caches.placement, recollection, thoughts, pipeline)
    once = Once(sites, transport, settings.retry, clock, closing)
    # Strangers get a transport of their own, so that they push no provider's connections out of the pool.
    fetching = Transport(clock, connections=AT_A_TIME)
    media = LinkedMedia(settings.links, Fetcher(fetching, Reach(settings.links.networks), clock), clock)
    dispatcher = Dispatcher(
        sites, transport, settings.stream, settings.retry, Backoff(rng), clock, thoughts, circuits, media
    )
    personal = settings.logging.requests.personal_data == "redact"
    redactor = Redactor(secrets, personal=personal, patterns=settings.logging.requests.patterns)
    exchanges = ExchangeLog(settings.logging.requests, redactor, write_exchange, clock)
    interceptors = (
        MetricsInterceptor(telemetry),
        ResponseLogInterceptor(prompts=settings.logging.prompts),
        reachability,
        traffic,
        decisions,
        money.usage,
        exchanges,
    )
    conversations = ConversationService(store.records, settings.conversations, clock)
    purge = ConversationPurge(
        conversations.store, store.records, store.counters, settings.conversations, clock, worker_id
    )
    retention = settings.access.key_retention_days
    key_purge = KeyPurge(store.records, store.counters, retention, clock, worker_id)
    census = Census(store, clock, worker_id)
    tracing = tracing_of(settings, transport, clock)

    def set_gauges() -> None:
        telemetry.gauges(tokens.usable_count(), store.degraded, memory_share())
        telemetry.circuits({name: circuits.worst(name) for name in sites})

    background = Background(
        (
            Chore("count_workers", BEAT_SECONDS, census.beat),
            Chore("save_counters", SYNC_SECONDS, store.save),
            Chore("share_tokens", SYNC_SECONDS, tokens.sync),
            Chore("set_gauges", SYNC_SECONDS, set_gauges),
            Chore("share_reachability", SYNC_SECONDS, lambda: reachability.sync(store.records)),
            Chore("share_traffic", SYNC_SECONDS, lambda: traffic.sync(store.records)),
            Chore("share_circuits", SYNC_SECONDS, circuits.sync),
            Chore("share_decisions", SYNC_SECONDS, decisions.share),
            Chore("read_keys", SYNC_SECONDS, book.sync),
            Chore("refresh_signers", SYNC_SECONDS, access.refresh),
            Chore("share_key_uses", KEY_USE_SECONDS, book.share_uses),
            Chore("purge_conversations", PURGE_SECONDS, purge.run),
            Chore("purge_keys", PURGE_SECONDS, key_purge.run),
            Chore("reload_tokens", RELOAD_SECONDS, tokens.reload),
            Chore("check_tokens", SYNC_SECONDS, tokens.check_health),
            *caches.chores,
            *money.chores,
            *([Chore("send_traces", SYNC_SECONDS, tracing.send)] if tracing is not None else []),
        )
    )

    def close() -> None:
        background.stop()
        tokens.sync()
        caches.ledger.sync()
        money.usage.sync()
        book.share_uses()
        traffic.sync(store.records)
        census.leave()
        if tracing is not None:
            tracing.close()
        transport.close()
        fetching.close()
        store.close()

    data_dir = settings.server.data_dir
    parts = (circuits, tokens, traffic, reachability, store.records, clock)
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        access=access,
        keys=book,
        exchanges=exchanges,
        limits=money.limits,
        spending=money.spending,
        usage=money.usage,
        telemetry=telemetry,
        tokens=tokens,
        models=ModelService(routing),
        routing=routing,
        chat=ChatService(
            preparation,
            dispatcher,
            pipeline,
            interceptors,
            clock,
            thoughts,
            caches.aftermath,
            money.spending,
            money.cache,
            closing,
        ),
        conversations=conversations,
        conversation_copies=ConversationCopies(conversations.store, store.records),
        counting=CountingService(routing, once, instances.counting, counter),
        embeddings=EmbeddingService(routing, once, money.spending, money.usage, telemetry, clock),
        health=HealthService(instances.used, reachability, tokens, store, settings.health, data_dir, clock, closing),
        providers=ProviderService(settings.providers, *parts),
        explain=ExplainService(preparation, money.foresight, circuits, pools),
        failover=caches.failover,
        cache_ledger=caches.ledger,
        decisions=decisions,
        tracing=tracing,
        background=background,
        closing=closing,
        set_gauges=set_gauges,
        close=close,
    )


def _model_names(settings: Settings, catalogue: Catalogue) -> set[str]:
    """Every name of a model that the gateway knows, here or at a provider."""
    own = {name for provider in settings.providers.values() for name in provider.models}
    return own.union(*({info.id, *info.upstream.values()} for info in catalogue.models))
