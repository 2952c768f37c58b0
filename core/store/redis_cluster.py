"""A redis that is a cluster: every key has a slot, and every slot a server that may change."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, ResponseError
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TimedOut

from config.settings import RedisAddress, StoreSettings
from core.store.redis_nodes import Command, Host, Nodes, send_all

_REDIRECTS = 4
_REFRESH_SECONDS = 1.0
"""While slots move, each of them is a redirect: so often at most is the whole map read for it."""


class SlotUncovered(RedisError):
    """No server has the slot now."""


class Cluster:
    """Knows which server has which slot, and follows where it is sent to; commands go to masters only.

    The map is read anew ahead of the next command when a server fails or has sent a command elsewhere. What fails
    because a server does not answer is not tried again, as it may have been done.
    """

    def __init__(self, settings: StoreSettings, address: RedisAddress) -> None:
        self._nodes = Nodes(settings, address, (address.username, address.password))
        self._timeout = settings.timeout
        self._seeds = address.hosts
        self._turns = deque(address.hosts)
        self._slots: list[Host | None] = []
        self._stale = True
        self._doubted: Host | None = None
        self._read_at = -_REFRESH_SECONDS
        self._mutex = threading.Lock()

    def ask(self, key: str, *command: str | bytes | float) -> Any:
        """What the server that has the key answers."""
        slot = key_slot(key.encode())
        host = self._owner(slot)
        asking = False
        for _ in range(_REDIRECTS):
            try:
                return self._at(host, [("ASKING",), command] if asking else [command])
            except MovedError as moved:
                host, asking = self._move(slot, moved, host), False
            except AskError as ask:
                host, asking = (ask.host or host[0], ask.port), True
        raise SlotUncovered("the servers send each other's commands around")

    def ask_all(self, keys: Sequence[str], commands: Sequence[Command]) -> list[Any]:
        """What is answered to each command, by each server in one round trip; a refusal stands among the answers.

        `keys` says where each command belongs.
        """
        answers: list[Any] = [None] * len(keys)
        for host, places in self._grouped(keys).items():
            with self._watching(host):
                told = send_all(self._nodes.client(host), [commands[place] for place in places])
            for place, answer in zip(places, told, strict=True):
                elsewhere = isinstance(answer, AskError)
                answers[place] = self._redirected(keys[place], commands[place]) if elsewhere else answer
        return answers

    def texts(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under each key."""
        if len(keys) == 1:
            return [self.ask(keys[0], "GET", keys[0])]
        answers = self.ask_all(keys, [("GET", key) for key in keys])
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers

    def ping(self) -> bool:
        """True when every slot has a server, and all these answer now."""
        return all(self._at(host, [("PING",)]) for host in self._masters())

    def each(self, *command: str) -> list[Any]:
        """What every server with slots answers; a refusal stands among the answers."""
        answers: list[Any] = []
        for host in self._masters():
            with self._watching(host):
                answers += send_all(self._nodes.client(host), [command])
        return answers

    def close(self) -> None:
        """Close every connection."""
        self._nodes.close()

    def _at(self, host: Host, commands: Sequence[Command]) -> Any:
        """What a server answers to the last of these."""
        with self._watching(host):
            client = self._nodes.client(host)
            if len(commands) == 1:
                return client.execute_command(*commands[0])
            answer = send_all(client, commands)[-1]
            if isinstance(answer, RedisError):
                raise answer
            return answer

    @contextmanager
    def _watching(self, host: Host) -> Iterator[None]:
        try:
            yield
        except (Disconnected, TimedOut, ClusterDownError, OSError):
            self._stale, self._doubted = True, host
            raise

    def _redirected(self, key: str, command: Command) -> Any:
        try:
            return self.ask(key, *command)
        except ResponseError as refusal:
            return refusal

    def _masters(self) -> set[Host]:
        """The servers that have the slots, all of them."""
        return {self._owner(slot) for slot in range(REDIS_CLUSTER_HASH_SLOTS)}

    def _grouped(self, keys: Sequence[str]) -> dict[Host, list[int]]:
        """The places of the keys, by the servers that have them."""
        groups: dict[Host, list[int]] = {}
        for place, key in enumerate(keys):
            groups.setdefault(self._owner(key_slot(key.encode())), []).append(place)
        return groups

    def _owner(self, slot: int) -> Host:
        if self._stale:
            self._refresh()
        host = self._slots[slot]
        if host is None:
            self._stale = True
            raise SlotUncovered("no server has the slot")
        return host

    def _move(self, slot: int, moved: MovedError, asked: Host) -> Host:
        host = (moved.host or asked[0], moved.port)
        self._slots[slot] = host
        self._stale = self._stale or monotonic() - self._read_at > _REFRESH_SECONDS
        return host

    def _refresh(self) -> None:
        if not self._mutex.acquire(timeout=self._timeout):
            raise SlotUncovered("the map of the cluster is being read")
        try:
            if self._stale:
                self._read()
        finally:
            self._mutex.release()

    def _read(self) -> None:
        """Servers are asked in turn for as long as one command may take; the next time the others come first."""
        until = monotonic() + self._timeout
        for _ in range(len(self._turns)):
            if self._turns[0] == self._doubted:
                self._turns.rotate(-1)
            try:
                rows = self._nodes.client(self._turns[0]).execute_command("CLUSTER SLOTS")
            except (RedisError, OSError):
                self._turns.rotate(-1)
                if monotonic() >= until:
                    break
            else:
                self._learn(rows, self._turns[0])
                return
        raise SlotUncovered("no server of the cluster answers")

    def _learn(self, rows: Sequence[Any], teller: Host) -> None:
        slots: list[Host | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, master, *_ in rows:
            # A server that has not been told its own name leaves it out.
            host = (master[0].decode() if master[0] else teller[0], int(master[1]))
            slots[first : last + 1] = [host] * (last + 1 - first)
        masters = {host for host in slots if host is not None}
        self._turns = deque(dict.fromkeys([teller, *sorted(masters), *self._seeds]))
        self._slots, self._stale, self._doubted, self._read_at = slots, False, None, monotonic()
        self._nodes.keep_only(self._turns)
