"""Both contracts in redis, for any number of workers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path
from struct import unpack
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from config.settings import StoreSettings
from core.errors import StoreUnavailable
from core.store.base import Counters, Overtaken, Reading, Record, Records, Taken, Window
from core.store.encoding import decode, encode
from core.store.windows import check

_CONNECTIONS = 64
_ATTEMPTS = 100
_SCRIPTS = Path(__file__).with_name("scripts")


class RedisStore:
    """One redis for all workers. Connects with the first command; each command waits `settings.timeout` at most.

    Every method of both contracts raises StoreUnavailable when redis fails, is slow or refuses.
    """

    def __init__(self, settings: StoreSettings) -> None:
        """Raises ValueError, without the URL, when `settings.redis_url` is none."""
        self._client: Any = _connect(settings)  # redis leaves its commands untyped
        self._counters = RedisCounters(self._client, settings.prefix)
        self._records = RedisRecords(self._client, settings.prefix)

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


class RedisCounters:
    """Windows as lists under one hash tag, so that one script reaches all of a call in a cluster too."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._take = _Script(client, "take")
        self._lock = _Script(client, "lock")
        self._unlock = _Script(client, "unlock")
        self._claim = _Script(client, "claim")
        self._unclaim = _Script(client, "unclaim")

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        """Count every window's cost, or none of them, in one round trip.

        `retry_after` of a cost above its limit, which is never granted, is the whole window. Raises ValueError for
        windows that make no sense.
        """
        check(windows)
        keys = [f"{self._prefix}:{{limits}}:{float(window.seconds)}:{window.key}" for window in windows]
        arguments: list[float] = [now]
        for window in windows:
            arguments += (window.limit, window.seconds, window.cost)
        granted, *numbers = unpack(f"<{3 * len(keys) + 1}d", self._take(keys, arguments))
        readings = (Reading(int(numbers[i]), *numbers[i + 1 : i + 3]) for i in range(0, len(numbers), 3))
        return Taken(granted == 1, tuple(readings))

    def lock(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Hold or renew the named lock for `seconds`; False while another owner holds it."""
        return bool(self._lock([self._lock_key(name)], [owner, seconds, now]))

    def unlock(self, name: str, owner: str) -> None:
        """Give the lock back if `owner` still holds it."""
        self._unlock([self._lock_key(name)], [owner])

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float) -> bool:
        """Hold or renew one of `limit` places for `seconds`; False while others hold them all."""
        return bool(self._claim([self._places_key(name)], [owner, limit, seconds, now]))

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""
        self._unclaim([self._places_key(name)], [owner])

    def keep(self, texts: Mapping[str, str], seconds: float, now: float) -> None:
        """Keep short texts under these names for `seconds`, in one round trip."""
        if not texts:
            return
        with _reaching(), self._client.pipeline(transaction=False) as pipe:
            for name, text in texts.items():
                pipe.set(self._kept_key(name), text, px=max(1, int(seconds * 1000)))
            pipe.execute()

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which a text is kept, in one round trip."""
        if not names:
            return {}
        with _reaching():
            values = self._client.execute_command("MGET", *map(self._kept_key, names))
        return {name: value.decode() for name, value in zip(names, values, strict=True) if value is not None}

    def _kept_key(self, name: str) -> str:
        # One hash tag, so that one command reaches all of them in a cluster too.
        return f"{self._prefix}:{{kept}}:{name}"

    def _places_key(self, name: str) -> str:
        return f"{self._prefix}:places:{name}"

    def _lock_key(self, name: str) -> str:
        return f"{self._prefix}:lock:{name}"


class RedisRecords:
    """One hash a kind, so that all records of a kind come in one trip."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._swap = _Script(client, "swap")

    def get(self, kind: str, key: str) -> Record | None:
        """The record, or None."""
        data = self._run("HGET", kind, key)
        return None if data is None else decode(kind, key, data)

    def all(self, kind: str) -> dict[str, Record]:
        """Every record of the kind, by key."""
        found = {key.decode(): data for key, data in self._run("HGETALL", kind).items()}
        return {key: decode(kind, key, data) for key, data in found.items()}

    def put(self, kind: str, key: str, value: Record) -> None:
        """Write the record, replacing what was there."""
        self._run("HSET", kind, key, encode(value))

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        """Replace the record by `edit` of what is there now, calling it again when another worker was faster.

        Raises Overtaken when others were faster a hundred times.
        """
        data = self._run("HGET", kind, key)
        for _ in range(_ATTEMPTS):
            value = edit(None if data is None else decode(kind, key, data))
            known = [] if data is None else [data]
            data = self._swap([self._key(kind)], [key, encode(value), *known])
            if data == 1:
                return value
        raise Overtaken(f"the record {kind}/{key} changes too fast")

    def delete(self, kind: str, key: str) -> bool:
        """Remove the record; False when there was none."""
        return bool(self._run("HDEL", kind, key))

    def _run(self, command: str, kind: str, *arguments: str | bytes) -> Any:
        with _reaching():
            return self._client.execute_command(command, self._key(kind), *arguments)

    def _key(self, kind: str) -> str:
        return f"{self._prefix}:records:{kind}"


class _Script:
    """A Lua script that runs in one round trip, or two when redis does not know it yet."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._source = (_SCRIPTS / f"{name}.lua").read_bytes()
        self._sha = sha1(self._source, usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        with _reaching():
            try:
                return self._client.execute_command("EVALSHA", self._sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self._client.execute_command("EVAL", self._source, len(keys), *keys, *arguments)


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
