"""The one place that builds everything and hands each part its own slice of the settings."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from uuid import uuid4

from config.settings import Settings
from core.catalogue import load_catalogue
from core.clock import Clock, SystemClock
from core.credentials.pool import CredentialPool
from core.credentials.sources import ProviderSource
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.providers import PROVIDERS
from core.retry import Backoff
from core.routing import Route
from core.store.base import Store
from core.store.opening import open_store
from core.transport import Transport
from services.access import AccessService
from services.background import Background, Chore
from services.census import BEAT_SECONDS, Census
from services.chat import ChatService
from services.dispatch import Dispatcher
from services.health import HealthService
from services.interceptors import MetricsInterceptor, ResponseLogInterceptor
from services.limits import LimitService
from services.models import ModelService
from services.probing import Prober
from services.reachability import Reachability
from services.routing import RoutingService
from services.run import Site
from services.telemetry import Telemetry
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
    health: HealthService
    background: Background
    close: Callable[[], None]


def build_services(settings: Settings, clock: Clock | None = None, *, multiprocess_metrics: bool = False) -> Services:
    """All services for `settings`. Nothing runs in the background until `background.start()`.

    Raises ValueError when the store cannot be opened.
    """
    clock = clock or SystemClock()
    # Not for secrets: it spreads retries and breaks ties.
    rng = Random()  # noqa: S311 - see the line above
    worker_id = f"{os.getpid()}-{uuid4().hex[:8]}"
    store = open_store(settings.store, settings.server.data_dir, clock)
    store.expect(settings.workers)
    telemetry = Telemetry(Metrics(multiprocess=multiprocess_metrics))
    transport = Transport(clock, connections=settings.server.worker_connections)
    reachability = Reachability(clock)

    enabled = {name: provider for name, provider in settings.providers.items() if provider.enabled}
    providers = {name: PROVIDERS[provider.kind](name, provider, clock) for name, provider in enabled.items()}
    sources = {name: ProviderSource(name, provider) for name, provider in enabled.items()}
    pools = {
        name: CredentialPool(
            name, source.poll() or (), store.records, settings.tokens, clock, worker_id, rng, telemetry.token_failed
        )
        for name, source in sources.items()
    }
    prober = Prober(providers, transport, reachability)
    tokens = TokenService(pools, sources, prober, store.counters, settings.tokens, clock, worker_id)

    routes = [Route(name, provider.kind, provider.models) for name, provider in enabled.items()]
    routing = RoutingService(load_catalogue(), routes, lambda name: len(pools[name]) > 0)
    sites = {name: Site(providers[name], pools[name], provider.timeout) for name, provider in enabled.items()}
    dispatcher = Dispatcher(sites, transport, settings.stream, settings.retry, Backoff(rng), clock)
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
    used = [name for name in enabled if len(pools[name])]
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        access=AccessService(settings.access.keys),
        limits=LimitService(store.counters, settings.rate_limits, telemetry, clock),
        telemetry=telemetry,
        tokens=tokens,
        models=ModelService(routing),
        chat=ChatService(routing, dispatcher, Pipeline(settings.pipeline), interceptors, clock),
        health=HealthService(used, reachability, tokens, store, settings.health, data_dir, clock),
        background=background,
        close=close,
    )
