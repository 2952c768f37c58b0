"""Both contracts in redis, for any number of workers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Counters, Records
from core.store.redis_counters import RedisCounters
from core.store.redis_records import RedisRecords

_CONNECTIONS = 64
_SCRIPTS = Path(__file__).with_name("scripts")


class RedisStore:
    """One redis for all workers. Connects with the first command; each command waits `settings.timeout` at most.

    Every method of both contracts raises StoreUnavailable when redis fails, is slow or refuses.
    """

    def __init__(self, settings: StoreSettings) -> None:
        """Raises ValueError, without the URL, when `settings.redis_url` is none."""
        self._client: Any = _connect(settings)  # redis leaves its commands untyped
        link = Link(self._client)
        self._counters = RedisCounters(link, settings.prefix)
        self._records = RedisRecords(link, settings.prefix)

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

    def ping(self) -> bool:
        """True when redis answers now."""
        try:
            with _reaching():
                return bool(self._client.execute_command("PING"))
        except StoreUnavailable:
            return False

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


class Link:
    """Commands and scripts, each in one round trip; every method raises StoreUnavailable."""

    def __init__(self, client: Any) -> None:
        self._client = client
        windows = _source("windows")
        self._scripts = {name: _Script(_source(name)) for name in ("lock", "unlock", "claim", "unclaim", "swap")}
        self._scripts |= {name: _Script(_source(name)) for name in ("put", "remove", "page", "prune")}
        self._scripts |= {name: _Script(windows + _source(name)) for name in ("take", "correct")}

    def run(self, command: str, *arguments: str | bytes) -> Any:
        """What redis answers to one command."""
        with _reaching():
            return self._client.execute_command(command, *arguments)

    def script(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        """What a script answers; two round trips when redis does not know it yet."""
        script = self._scripts[name]
        with _reaching():
            try:
                return self._client.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self._client.execute_command("EVAL", script.source, len(keys), *keys, *arguments)

    def set_all(self, texts: Mapping[str, str], milliseconds: int) -> None:
        """Set many keys for a while."""
        with _reaching(), self._client.pipeline(transaction=False) as pipe:
            for name, text in texts.items():
                pipe.set(name, text, px=milliseconds)
            pipe.execute()


class _Script:
    """The text of a script, and the name that redis gives it."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.sha = sha1(source, usedforsecurity=False).hexdigest()


def _source(name: str) -> bytes:
    return (_SCRIPTS / f"{name}.lua").read_bytes()


def _connect(settings: StoreSettings) -> redis.Redis:
    if settings.redis_url is None:
        raise ValueError("REDIS_URL is not set")
    try:
        pool = redis.BlockingConnectionPool.from_url(
            settings.redis_url.get_secret_value(),
            max_connections=_CONNECTIONS,
            timeout=settings.timeout,
            socket_timeout=settings.timeout,
            socket_connect_timeout=settings.timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        # Not connected yet, but now the URL's options are looked at, which the pool does with the first command only.
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, RedisError):
        # The library's own message may quote a part of the URL, which holds the password.
        raise ValueError("REDIS_URL is no address of a redis: redis://host:6379/0 or rediss://host:6379/0") from None
    return redis.Redis.from_pool(pool)


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreUnavailable("the shared store cannot be reached") from error
