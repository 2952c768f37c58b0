"""Which roles may use which route; a route that is not here is closed to all but admins."""

from collections.abc import Mapping

from schemas.caller import CallerRole

EVERYONE: frozenset[CallerRole] = frozenset({"admin", "operator", "user"})
OPERATORS: frozenset[CallerRole] = frozenset({"admin", "operator"})
ADMINS: frozenset[CallerRole] = frozenset({"admin"})

PUBLIC = frozenset({"health.live", "health.ready", "messages.probe"})
"""Routes that need no key: what a container's probe asks, and clients that look whether anybody is there."""

UNLIMITED = PUBLIC | {"health.report", "metrics.scrape"}
"""Routes that monitoring asks, whose calls are not counted against a caller."""

ROLES: Mapping[str, frozenset[CallerRole]] = {
    "chat.v1": EVERYONE,
    "chat.v2": EVERYONE,
    "messages.create": EVERYONE,
    "messages.count": EVERYONE,
    "embeddings.create": EVERYONE,
    "conversations.listing": EVERYONE,
    "conversations.create": EVERYONE,
    "conversations.retrieve": EVERYONE,
    "conversations.update": EVERYONE,
    "conversations.delete": EVERYONE,
    "conversations.turns": EVERYONE,
    "conversations.items": EVERYONE,
    "conversations.add_items": EVERYONE,
    "conversations.item": EVERYONE,
    "conversations.delete_item": EVERYONE,
    "conversation_copies.export": EVERYONE,
    "conversation_copies.import_one": EVERYONE,
    "conversation_copies.save": EVERYONE,
    "conversation_copies.load": EVERYONE,
    "models.listing": EVERYONE,
    "models.one": EVERYONE,
    "health.report": OPERATORS,
    "metrics.scrape": OPERATORS,
    "tokens.listing": OPERATORS,
    "tokens.stats": OPERATORS,
    "tokens.reset": OPERATORS,
    "providers.listing": OPERATORS,
    "providers.one": OPERATORS,
    "providers.reset": OPERATORS,
    "failover.listing": OPERATORS,
    "failover.one": OPERATORS,
    "failover.activate": OPERATORS,
    "failover.clear": OPERATORS,
    "usage.report": EVERYONE,
    "keys.listing": ADMINS,
    "keys.one": ADMINS,
    "keys.create": ADMINS,
    "keys.change": ADMINS,
    "keys.rotate": ADMINS,
    "keys.revoke": ADMINS,
    "configuration.shown": ADMINS,
    "configuration.reload": ADMINS,
    "route.explain": OPERATORS,
    "route.explained": OPERATORS,
}
