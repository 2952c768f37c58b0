"""Opens the store that the settings ask for."""

from pathlib import Path

from config.settings import StoreSettings
from core.clock import Clock
from core.store.base import Store
from core.store.embedded import EmbeddedStore
from core.store.redis import RedisStore
from core.store.resilient import ResilientStore


def open_store(settings: StoreSettings, data_dir: Path, clock: Clock) -> Store:
    """The embedded store without `redis_url`, else redis with a fallback. Raises ValueError for what cannot be used."""
    if settings.redis_url is None:
        return EmbeddedStore(data_dir)
    return ResilientStore(RedisStore(settings), clock)
