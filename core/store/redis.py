"""Both contracts in redis, for any number of workers."""

from collections.abc import Callable, Mapping

import structlog

from config.settings import RedisAddress, StoreSettings
from core.store.base import Counters, Records
from core.store.redis_cluster import Cluster
from core.store.redis_counters import RedisCounters
from core.store.redis_link import Link, Servers
from core.store.redis_records import RedisRecords
from core.store.redis_sentinel import WatchedServers
from core.store.redis_single import SingleServer

_KINDS: Mapping[str, Callable[[StoreSettings, RedisAddress], Servers]] = {
    "one": SingleServer,
    "sentinel": WatchedServers,
    "cluster": Cluster,
}


CROWDED = 0.75
"""The share of redis's memory above which it is kept for what must not be lost: limits, budgets, keys, conversations.

It drops nothing by itself to make room, and what it refuses then each worker counts alone.
"""


class RedisStore:
    """One redis for all workers. Connects with the first command; each command waits `settings.timeout` at most.

    Every method of both contracts raises StoreUnavailable when redis fails, is slow or refuses.
    """

    def __init__(self, settings: StoreSettings) -> None:
        """Raises ValueError when `settings.redis_url` is none, or the certificates cannot be read."""
        if settings.address is None:
            raise ValueError("REDIS_URL is not set")
        self._servers = _KINDS[settings.address.kind](settings, settings.address)
        self._link = Link(self._servers)
        self._counters = RedisCounters(self._link, settings.prefix, settings.timeout)
        self._log = structlog.get_logger(__name__)
        self._records = RedisRecords(self._link, settings.prefix)

    @property
    def counters(self) -> Counters:
        """Shared by all workers."""
        return self._counters

    @property
    def records(self) -> Records:
        """Shared by all workers, as durable as redis is set up to be."""
        return self._records

    @property
    def degraded(self) -> bool:
        """Never: this store has nothing to fall back on."""
        return False

    def expect(self, workers: int) -> None:
        """Of no consequence here."""

    def save(self) -> None:
        """Of no consequence here: everything is written as it happens."""

    def measure(self) -> float:
        """How full its memory is; from `CROWDED` on, no texts are kept that only help."""
        filled = self._link.filled()
        crowded = filled >= CROWDED
        if crowded != self._counters.crowded:
            self._counters.crowded = crowded
            self._log.warning("store_nearly_full" if crowded else "store_has_room_again", share=round(filled, 3))
        return filled

    def ping(self) -> bool:
        """True when redis answers now: of a cluster, every server that has keys."""
        return self._link.ping()

    def close(self) -> None:
        """Close every connection."""
        self._servers.close()
