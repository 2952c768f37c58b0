"""The HTTP interface: one blueprint a file, listed here."""

from collections.abc import Callable

from flask import Blueprint

from api import (
    chat,
    configuration,
    conversation_copies,
    conversations,
    embeddings,
    failover,
    health,
    keys,
    messages,
    metrics,
    models,
    providers,
    route,
    tokens,
    usage,
)
from services import Services

BLUEPRINTS: tuple[Callable[[Services], Blueprint], ...] = (
    chat.blueprint,
    messages.blueprint,
    embeddings.blueprint,
    conversations.blueprint,
    conversation_copies.blueprint,
    models.blueprint,
    tokens.blueprint,
    providers.blueprint,
    route.blueprint,
    failover.blueprint,
    keys.blueprint,
    usage.blueprint,
    configuration.blueprint,
    health.blueprint,
    metrics.blueprint,
)
