"""Builds what answers requests: the ways to the providers, and the services that go them."""

from dataclasses import dataclass

from config.settings import Settings
from core.pipeline import Pipeline
from core.retry import Backoff
from schemas.outcome import Attempt
from services.asking import Asking
from services.attempt import Attempts
from services.cache_parts import CacheParts
from services.chat import ChatService
from services.counting import CountingService
from services.dispatch import Dispatcher
from services.embeddings import EmbeddingService
from services.exchange_log import ExchangeLog
from services.foundation import Foundation
from services.instances import Instances
from services.interceptors import MetricsInterceptor, ResponseLogInterceptor
from services.linked_media import LinkedMedia
from services.money_parts import MoneyParts
from services.once import Once
from services.preparation import Preparation
from services.refusals import Refusals
from services.routing import RoutingService
from services.thoughts import ThoughtMemory


@dataclass(frozen=True, slots=True)
class ChatParts:
    """What spends tokens."""

    chat: ChatService
    preparation: Preparation
    counting: CountingService
    embeddings: EmbeddingService


def chat_parts(
    base: Foundation,
    settings: Settings,
    instances: Instances,
    routing: RoutingService,
    caches: CacheParts,
    money: MoneyParts,
    exchanges: ExchangeLog,
    media: LinkedMedia,
) -> ChatParts:
    """All of them before the same providers."""
    clock, thoughts = base.clock, ThoughtMemory(base.recollection)
    backoff, refusals = Backoff(base.rng), Refusals(thoughts)

    def told(attempt: Attempt) -> None:
        base.traffic.note(attempt)
        base.reachability.note(attempt.provider, attempt.error)

    once = Once(
        instances.sites,
        Asking(base.transport, clock, told),
        settings.retry,
        clock,
        base.closing,
        base.circuits,
        base.retries,
        backoff,
    )
    dispatcher = Dispatcher(
        instances.sites,
        Attempts(instances.sites, base.transport, settings.stream, clock, refusals, media, told),
        settings.stream,
        settings.retry,
        backoff,
        clock,
        refusals,
        base.circuits,
        media,
        base.retries,
    )
    interceptors = (
        MetricsInterceptor(base.telemetry),
        ResponseLogInterceptor(prompts=settings.logging.prompts),
        base.decisions,
        base.usage,
        exchanges,
    )
    pipeline = Pipeline(settings.pipeline, base.counter)
    preparation = Preparation(money.landing, caches.placement, base.recollection, thoughts, pipeline)
    chat = ChatService(
        preparation,
        dispatcher,
        pipeline,
        interceptors,
        clock,
        thoughts,
        caches.aftermath,
        money.spending,
        money.cache,
        base.closing,
    )
    counting = CountingService(routing, once, instances.counting, base.counter, clock)
    embeddings = EmbeddingService(routing, once, money.spending, base.usage, base.telemetry, clock)
    return ChatParts(chat, preparation, counting, embeddings)
