"""A redis whose master is watched by sentinels, which make another server the master when it fails."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as TimedOut

from config.settings import RedisAddress, StoreSettings
from core.store.redis_nodes import Command, Host, Nodes, send_all

T = TypeVar("T")


class MasterUnknown(RedisError):
    """No sentinel says who the master is."""


class WatchedServers:
    """The master that the sentinels name. After a failure they are asked anew, ahead of the next command.

    What fails because the master does not answer is not tried again, as it may have been done. What a server refuses
    because it is no master any more is tried once at the new one.
    """

    def __init__(self, settings: StoreSettings, address: RedisAddress) -> None:
        secret = settings.sentinel_password
        login = (settings.sentinel_username, None if secret is None else secret.get_secret_value())
        self._service = address.service
        self._timeout = settings.timeout
        self._nodes = Nodes(settings, address, (address.username, address.password), address.db)
        self._sentinels = Nodes(settings, address, login)
        self._turns = deque(address.hosts)
        self._mutex = threading.Lock()
        self._master: Host | None = None

    def ask(self, key: str, *command: str | bytes | float) -> Any:
        """What the master answers."""
        return self._at_master(lambda client: client.execute_command(*command))

    def ask_all(self, keys: Sequence[str], commands: Sequence[Command]) -> list[Any]:
        """What the master answers to each command; a refusal stands among the answers."""
        return self._at_master(lambda client: _writable(send_all(client, commands)))

    def texts(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under each key."""
        found: list[bytes | None] = self.ask(keys[0], "MGET", *keys)
        return found

    def ping(self) -> bool:
        """True when the master answers now."""
        return bool(self.ask("", "PING"))

    def each(self, *command: str) -> list[Any]:
        """What the master answers; a refusal stands among the answers."""
        return self.ask_all([""], [command])

    def close(self) -> None:
        """Close every connection."""
        self._nodes.close()
        self._sentinels.close()

    def _at_master(self, send: Callable[[Any], T]) -> T:
        master = self._found()
        try:
            return self._trusting(master, send)
        except ReadOnlyError:
            successor = self._found()
            if successor == master:
                raise
            return self._trusting(successor, send)

    def _trusting(self, master: Host, send: Callable[[Any], T]) -> T:
        try:
            return send(self._nodes.client(master))
        except (Disconnected, TimedOut, ReadOnlyError, OSError):
            if self._master == master:
                self._master = None
            raise

    def _found(self) -> Host:
        if self._master is not None:
            return self._master
        if not self._mutex.acquire(timeout=self._timeout):
            raise MasterUnknown("the sentinels are being asked")
        try:
            self._master = self._master or self._named()
            self._nodes.keep_only([self._master])
            return self._master
        finally:
            self._mutex.release()

    def _named(self) -> Host:
        """The sentinels are asked in turn for as long as one command may take; the next time the others come first."""
        until = monotonic() + self._timeout
        for _ in range(len(self._turns)):
            client = self._sentinels.client(self._turns[0])
            try:
                master = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", self._service)
            except (RedisError, OSError):
                master = None
            if master is not None:
                return master[0].decode() if isinstance(master[0], bytes) else master[0], int(master[1])
            self._turns.rotate(-1)
            if monotonic() >= until:
                break
        raise MasterUnknown("no sentinel says who the master is")


def _writable(answers: list[Any]) -> list[Any]:
    refusal = next((answer for answer in answers if isinstance(answer, ReadOnlyError)), None)
    if refusal is not None:
        raise refusal
    return answers
