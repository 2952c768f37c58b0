"""The one place that builds everything and hands each part its own slice of the settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from core.addresses import Reach
from core.catalogue import Catalogue, CatalogueBook
from core.clock import Clock, SystemClock
from core.fetcher import Fetcher
from core.redaction import Redactor
from core.store.base import Store
from services.access import AccessService
from services.access_building import tokens_of
from services.admin_guard import AdminGuard
from services.background import Background, Chore
from services.cache_ledger import CacheLedger
from services.cache_parts import cache_parts
from services.chat import ChatService
from services.chat_parts import chat_parts
from services.closing import Closing
from services.configuration import ConfigurationService
from services.conversation_copies import ConversationCopies
from services.conversation_purge import ConversationPurge
from services.conversations import ConversationService
from services.counting import CountingService
from services.decisions import DecisionLog
from services.embeddings import EmbeddingService
from services.exchange_log import ExchangeLog, Write
from services.explain import ExplainService
from services.failover import FailoverService
from services.foundation import SYNC_SECONDS, Foundation, lay_foundation
from services.health import HealthService
from services.in_flight import InFlight
from services.instances import InstanceBuilder, Instances
from services.jwt_callers import JwtCallers
from services.key_book import KeyBook
from services.key_purge import KeyPurge
from services.limits import LimitService
from services.linked_media import LinkedMedia
from services.memory import memory_share
from services.models import ModelService
from services.money_parts import money_parts
from services.probing import Prober
from services.providers import ProviderService
from services.routing import RoutingService
from services.spending import Spending
from services.telemetry import Telemetry
from services.tokens import TokenService
from services.tracing import TracingService, tracing_of
from services.usage_ledger import UsageLedger

RELOAD_SECONDS = 2.0
PURGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a blueprint or a middleware may need, as one configuration wants it.

    `base` is what other configurations of this process stand on as well, `in_flight` are the requests that go by this
    one.
    """

    settings: Settings
    base: Foundation
    instances: Instances
    in_flight: InFlight
    clock: Clock
    store: Store
    access: AccessService
    admins: AdminGuard
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
    configuration: ConfigurationService
    tracing: TracingService | None
    media: LinkedMedia
    background: Background
    closing: Closing
    chores: tuple[Chore, ...]
    set_gauges: Callable[[], None]

    def close(self) -> None:
        """Stop what runs, write down what was not shared yet, and let go of everything."""
        self.background.stop()
        self.base.retired.sync()
        self.tokens.sync()
        if self.tracing is not None:
            self.tracing.close()
        self.base.close()


def build_services(
    settings: Settings,
    clock: Clock | None = None,
    *,
    shared: Path | None = None,
    secrets: Sequence[str] = (),
    write_exchange: Write | None = None,
    book: CatalogueBook | None = None,
) -> Services:
    """All services for `settings`. Nothing runs in the background until `background.start()`.

    `secrets` are never written down; `write_exchange` takes whole requests and answers, if they are logged. `book`
    knows the models. `shared` is a folder of the workers of this gateway, None where it is the only one.

    Raises ValueError when the store cannot be opened or the models in `settings` are not consistent.
    """
    catalogue = (book or CatalogueBook()).catalogue(settings.models)
    base = lay_foundation(settings, catalogue, clock or SystemClock(), shared=shared)
    services = furnish(base, settings, catalogue, secrets=secrets, write_exchange=write_exchange)
    base.background.become((*base.chores(), *services.chores))
    return services


def furnish(
    base: Foundation,
    settings: Settings,
    catalogue: Catalogue,
    before: Services | None = None,
    *,
    secrets: Sequence[str] = (),
    write_exchange: Write | None = None,
) -> Services:
    """All services for `settings` on what is there, to stand in the place of `before` by `succeed`.

    Raises ValueError for what cannot be used; nothing has changed by then.
    """
    store, clock, telemetry, circuits = base.store, base.clock, base.telemetry, base.circuits
    records, counters = store.records, store.counters
    access = AccessService(settings.access.keys, base.book, _signed_tokens(base, settings, before))
    logged = settings.logging.requests
    redactor = Redactor(secrets, personal=logged.personal_data == "redact", patterns=logged.patterns)
    exchanges = ExchangeLog(logged, redactor, write_exchange, clock)
    inherited = before.instances if before is not None else None
    instances = InstanceBuilder(settings, store, clock, base.worker_id, base.rng, telemetry).build(inherited)
    prober = Prober(instances.sites, base.transport, base.reachability)
    next_check = before.tokens.next_check if before is not None else None
    tokens = TokenService(
        instances.pools,
        instances.sources,
        prober,
        counters,
        settings.tokens,
        clock,
        base.worker_id,
        next_check,
        len(instances.callers_own),
    )
    routing = RoutingService(catalogue, instances.routes, instances.is_usable, settings.model_map, settings.routes)
    caches = cache_parts(base, instances, routing)
    money = money_parts(base, settings, instances, routing)
    media = _linked_media(base, settings, before)
    answers = chat_parts(base, settings, instances, routing, caches, money, exchanges, media)
    tracing = tracing_of(base.spans, settings, clock)
    conversations = ConversationService(records, settings.conversations, clock)
    purge = ConversationPurge(conversations.store, records, counters, settings.conversations, clock, base.worker_id)

    key_purge = KeyPurge(records, counters, settings.access.key_retention_days, clock, base.worker_id)

    def set_gauges() -> None:
        telemetry.gauges(tokens.usable_count(), store.degraded, memory_share())
        telemetry.bodies(base.bodies.held, base.bodies.waiting)
        telemetry.circuits({name: circuits.worst(name) for name in instances.sites})

    return Services(
        settings=settings,
        base=base,
        instances=instances,
        in_flight=InFlight(),
        clock=clock,
        store=store,
        access=access,
        admins=AdminGuard(access, base.book, counters, clock, lambda: store.degraded),
        keys=base.book,
        exchanges=exchanges,
        limits=money.limits,
        spending=money.spending,
        usage=base.usage,
        telemetry=telemetry,
        tokens=tokens,
        models=ModelService(routing),
        routing=routing,
        chat=answers.chat,
        conversations=conversations,
        conversation_copies=ConversationCopies(conversations.store, records),
        counting=answers.counting,
        embeddings=answers.embeddings,
        health=HealthService(
            instances.used,
            base.reachability,
            tokens,
            store,
            settings.health,
            settings.server.data_dir,
            clock,
            base.closing,
            base.began,
            base.configuration.rejected,
        ),
        providers=ProviderService(
            settings.providers, circuits, tokens, base.traffic, base.reachability, records, clock
        ),
        explain=ExplainService(answers.preparation, money.foresight, circuits, instances.pools),
        failover=base.failover,
        cache_ledger=base.ledger,
        decisions=base.decisions,
        configuration=base.configuration,
        tracing=tracing,
        media=media,
        background=base.background,
        closing=base.closing,
        chores=(
            Chore("share_tokens", SYNC_SECONDS, tokens.sync),
            Chore("set_gauges", SYNC_SECONDS, set_gauges),
            Chore("refresh_signers", SYNC_SECONDS, access.refresh),
            Chore("purge_conversations", PURGE_SECONDS, purge.run),
            Chore("purge_keys", PURGE_SECONDS, key_purge.run),
            Chore("reload_tokens", RELOAD_SECONDS, tokens.reload),
            Chore("check_tokens", SYNC_SECONDS, tokens.check_health),
            *([Chore("send_traces", SYNC_SECONDS, tracing.send)] if tracing is not None else []),
        ),
        set_gauges=set_gauges,
    )


def _signed_tokens(base: Foundation, settings: Settings, before: Services | None) -> JwtCallers | None:
    jwt = settings.access.jwt
    if before is not None and jwt.jwks_url is not None and jwt == before.settings.access.jwt:
        # The keys that were fetched go on working if their address is away now.
        return before.access.tokens
    return tokens_of(jwt, base.transport, base.clock)


def _linked_media(base: Foundation, settings: Settings, before: Services | None) -> LinkedMedia:
    if before is not None and settings.links == before.settings.links:
        return before.media
    return LinkedMedia(settings.links, Fetcher(base.fetching, Reach(settings.links.networks), base.clock), base.clock)
