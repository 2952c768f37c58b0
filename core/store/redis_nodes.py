"""Clients of single servers, each with a bounded number of bounded connections."""

import ssl
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.settings import RedisAddress, StoreSettings

_CONNECTIONS = 64

Host = tuple[str, int]
Command = Sequence[str | bytes | float]


class NeverSent(redis.ConnectionError):
    """There was no connection for a command, and so it was not done."""


class _Pool(redis.BlockingConnectionPool):
    """Tells what was never sent from what was sent and not answered. Raises NeverSent."""

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call] # the library's
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise NeverSent(str(error)) from error


class Nodes:
    """One client for each server, made when it is first asked for; each command waits `settings.timeout` at most.

    `login` is the name and the password there.
    """

    def __init__(
        self, settings: StoreSettings, address: RedisAddress, login: tuple[str | None, str | None], db: int = 0
    ) -> None:
        """Raises ValueError when the certificates cannot be read."""
        self._address = address
        self._options: dict[str, Any] = {
            "max_connections": _CONNECTIONS,
            "timeout": settings.timeout,
            "socket_timeout": settings.timeout,
            "socket_connect_timeout": settings.timeout,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
            "username": login[0],
            "password": login[1],
            "db": db,
        }
        if address.tls:
            trusted = {} if settings.ca_file is None else {"ssl_ca_certs": str(settings.ca_file)}
            certificates = {**address.options, **trusted}
            _check(certificates)
            self._options |= {"connection_class": redis.SSLConnection, **certificates}
        self._mutex = threading.Lock()
        self._clients: dict[Host, Any] = {}

    def client(self, host: Host) -> Any:
        """The client of that server; redis leaves its commands untyped."""
        client = self._clients.get(host)
        if client is None:
            with self._mutex:
                client = self._clients.get(host) or self._connect(host)
                self._clients[host] = client
        return client

    def keep_only(self, hosts: Iterable[Host]) -> None:
        """Let go of the servers that are none of these; what they are answering now they may answer."""
        with self._mutex:
            for host in self._clients.keys() - set(hosts):
                self._clients.pop(host).connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        """Close every connection."""
        with self._mutex:
            for client in self._clients.values():
                client.close()

    def _connect(self, host: Host) -> Any:
        where: dict[str, Any] = {"host": host[0], "port": host[1]}
        if self._address.path is not None:
            where = {"connection_class": redis.UnixDomainSocketConnection, "path": self._address.path}
        pool: Any = _Pool  # whose constructor the library leaves untyped
        return redis.Redis.from_pool(pool(**self._options, **where))


def send_all(client: Any, commands: Sequence[Command]) -> list[Any]:
    """What a server answers to each command, all in one round trip; a refusal stands among the answers."""
    with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        answers: list[Any] = pipe.execute(raise_on_error=False)
    return answers


def _check(certificates: dict[str, Any]) -> None:
    """Now, as connections are made again and again, and would say it once for each."""
    try:
        context = ssl.create_default_context(cafile=certificates.get("ssl_ca_certs"))
        if "ssl_certfile" in certificates:
            context.load_cert_chain(certificates["ssl_certfile"], certificates.get("ssl_keyfile"))
    except OSError:
        raise ValueError("the certificates for redis (store.ca_file, ssl_… in REDIS_URL) cannot be read") from None
