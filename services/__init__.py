"""The one place that builds everything and hands each part its own slice of the settings."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from uuid import uuid4

from config.settings import ProviderSettings, Settings
from core.catalogue import Catalogue, load_catalogue
from core.clock import Clock, SystemClock
from core.counting import TokenCounter
from core.credentials.callers_own import CallersOwn
from core.credentials.pool import CredentialPool
from core.credentials.sources import ProviderSource
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.providers import PROVIDERS
from core.providers.base import Provider
from core.retry import Backoff
from core.routing import Route, listed
from core.store.base import Store
from core.store.opening import open_store
from core.transport import Transport
from services.access import AccessService
from services.background import Background, Chore
from services.census import BEAT_SECONDS, Census
from services.chat import ChatService
from services.counting import CountingService
from services.dispatch import Dispatcher
from services.embeddings import EmbeddingService
from services.health import HealthService
from services.interceptors import MetricsInterceptor, ResponseLogInterceptor
from services.limits import LimitService
from services.models import ModelService
from services.once import Once
from services.probing import Prober
from services.reachability import Reachability
from services.routing import RoutingService
from services.run import Site
from services.telemetry import Telemetry
from services.thoughts import ThoughtMemory
from services.tokens import TokenService

SYNC_SECONDS = 1.0
RELOAD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a blueprint or a middleware may need."""

    settings: Settings
    clock: Clock
    store: Store
    access: AccessService
    limits: LimitService
    telemetry: Telemetry
    tokens: TokenService
    models: ModelService
    chat: ChatService
    counting: CountingService
    embeddings: EmbeddingService
    health: HealthService
    background: Background
    close: Callable[[], None]


def build_services(settings: Settings, clock: Clock | None = None, *, multiprocess_metrics: bool = False) -> Services:
    """All services for `settings`. Nothing runs in the background until `background.start()`.

    Raises ValueError when the store cannot be opened or the models in `settings` are not consistent.
    """
    clock = clock or SystemClock()
    # Not for secrets: it spreads retries and breaks ties.
    rng = Random()  # noqa: S311 - see the line above
    worker_id = f"{os.getpid()}-{uuid4().hex[:8]}"
    store = open_store(settings.store, settings.server.data_dir, clock)
    store.expect(settings.workers)
    catalogue = load_catalogue(settings.models)
    telemetry = Telemetry(Metrics(multiprocess=multiprocess_metrics), _model_names(settings, catalogue))
    transport = Transport(clock, connections=settings.server.worker_connections)
    reachability = Reachability(clock)

    enabled = {name: provider for name, provider in settings.providers.items() if provider.enabled}
    providers = {name: PROVIDERS[provider.kind](name, provider, clock) for name, provider in enabled.items()}
    sources = {name: ProviderSource(name, one) for name, one in enabled.items() if one.auth != "passthrough"}
    pools = {
        name: CredentialPool(
            name, source.poll() or (), store.records, settings.tokens, clock, worker_id, rng, telemetry.token_failed
        )
        for name, source in sources.items()
    }
    prober = Prober(providers, transport, reachability)
    tokens = TokenService(pools, sources, prober, store.counters, settings.tokens, clock, worker_id)

    routes = [_route(name, one, providers[name]) for name, one in enabled.items()]
    routing = RoutingService(catalogue, routes, lambda name: _usable(pools.get(name)), settings.model_map)
    sites = {
        name: Site(providers[name], pools[name] if name in pools else CallersOwn(name), one.timeout, one.strict)
        for name, one in enabled.items()
    }
    thoughts = ThoughtMemory(store.counters, clock)
    counter = TokenCounter()
    once = Once(sites, transport, settings.retry, clock)
    dispatcher = Dispatcher(sites, transport, settings.stream, settings.retry, Backoff(rng), clock, thoughts)
    interceptors = (
        MetricsInterceptor(telemetry),
        ResponseLogInterceptor(prompts=settings.logging.prompts),
        reachability,
    )
    census = Census(store, clock, worker_id)
    background = Background(
        (
            Chore("count_workers", BEAT_SECONDS, census.beat),
            Chore("share_tokens", SYNC_SECONDS, tokens.sync),
            Chore("set_gauges", SYNC_SECONDS, lambda: telemetry.gauges(tokens.usable_count(), store.degraded)),
            Chore("share_reachability", SYNC_SECONDS, lambda: reachability.sync(store.records)),
            Chore("reload_tokens", RELOAD_SECONDS, tokens.reload),
            Chore("check_tokens", SYNC_SECONDS, tokens.check_health),
        )
    )

    def close() -> None:
        background.stop()
        tokens.sync()
        census.leave()
        transport.close()
        store.close()

    data_dir = settings.server.data_dir
    used = [name for name in enabled if _usable(pools.get(name))]
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        access=AccessService(settings.access.keys),
        limits=LimitService(store.counters, settings.rate_limits, telemetry, clock),
        telemetry=telemetry,
        tokens=tokens,
        models=ModelService(routing),
        chat=ChatService(routing, dispatcher, Pipeline(settings.pipeline, counter), interceptors, clock, thoughts),
        counting=CountingService(routing, once, _counting(providers), counter),
        embeddings=EmbeddingService(routing, once, telemetry, clock),
        health=HealthService(used, reachability, tokens, store, settings.health, data_dir, clock),
        background=background,
        close=close,
    )


def _model_names(settings: Settings, catalogue: Catalogue) -> set[str]:
    """Every name by which a provider may be asked for a model that the gateway knows."""
    own = {name for provider in settings.providers.values() for name in provider.models}
    return own.union(*(info.upstream.values() for info in catalogue.models))


def _usable(pool: CredentialPool | None) -> bool:
    """True for a provider with a credential, or without a pool, as a caller may bring a key at any time."""
    return pool is None or len(pool) > 0


def _route(name: str, settings: ProviderSettings, provider: Provider) -> Route:
    known = (provider.families, provider.abilities, provider.control)
    return Route(name, settings.kind, listed(settings.models), *known)


def _counting(providers: Mapping[str, Provider]) -> frozenset[str]:
    """The instances whose providers count tokens themselves."""
    return frozenset(name for name, one in providers.items() if type(one).count is not Provider.count)
