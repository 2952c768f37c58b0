"""A real cluster of redis for tests."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tests.redis_server import PATIENCE, RedisServer

NODE_TIMEOUT_MS = 700


class RedisCluster:
    """Three masters on loopback that share the slots; the one that has the key `copied` has a replica."""

    def __init__(self, directory: Path, *, copied: str | None = None, password: str | None = None) -> None:
        self._password = password
        self._copied = copied
        self._stack = ExitStack()
        self.masters = [self._server(directory / f"master{number}") for number in range(3)]
        self.replicas = [] if copied is None else [self._server(directory / "replica")]

    @property
    def url(self) -> str:
        """Two of its nodes; the others are found by them."""
        user = f":{self._password}@" if self._password else ""
        return f"redis+cluster://{user}{','.join(f'127.0.0.1:{one.port}' for one in self.masters[:2])}"

    def __enter__(self) -> "RedisCluster":
        for server in (*self.masters, *self.replicas):
            self._stack.enter_context(server)
        self._stack.callback(lambda: [client.close() for client in self._clients.values()])
        self._clients = {one.port: self._connect(one) for one in (*self.masters, *self.replicas)}
        self._found()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def client(self, server: RedisServer) -> Any:
        """Speaks to that node alone."""
        return self._clients[server.port]

    def all_keys(self) -> list[str]:
        """Every key, in order."""
        return sorted(key.decode() for one in self.masters for key in self.client(one).keys("*"))

    def flush(self) -> None:
        """Forget everything, scripts too."""
        for one in self.masters:
            self.client(one).flushall()
            self.client(one).script_flush()

    def owner(self, key: str) -> RedisServer:
        """Which of the masters has the key's slot."""
        slot = key_slot(key.encode())
        for first, last, master, *_ in self.client(self.masters[0]).execute_command("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(one for one in self.masters if one.port == master[1])
        raise AssertionError(f"nobody has {key}")

    def begin_move(self, key: str, target: RedisServer) -> RedisServer:
        """Let the key's slot begin to move; nothing of it has gone over yet. Returns who has it."""
        self.wait_until_agreed()
        slot, source = key_slot(key.encode()), self.owner(key)
        self.client(target).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._id(source))
        self.client(source).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._id(target))
        return source

    def move_keys(self, source: RedisServer, target: RedisServer, keys: Sequence[str]) -> None:
        """Take these keys over."""
        auth = ["AUTH", self._password] if self._password else []
        where = ("127.0.0.1", target.port, "", 0, int(PATIENCE * 1000))
        self.client(source).execute_command("MIGRATE", *where, *auth, "KEYS", *keys)

    def end_move(self, key: str, target: RedisServer) -> None:
        """Say to all whose the slot is now."""
        for one in (target, *(other for other in self.masters if other is not target)):
            self.client(one).execute_command("CLUSTER SETSLOT", key_slot(key.encode()), "NODE", self._id(target))

    def move(self, key: str, target: RedisServer) -> None:
        """Move the key's slot with all that is in it."""
        source = self.begin_move(key, target)
        slot = key_slot(key.encode())
        while keys := self.client(source).execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            self.move_keys(source, target, [name.decode() for name in keys])
        self.end_move(key, target)

    def is_whole(self) -> bool:
        """True when every node that lives says that all slots are served."""
        return all(b"cluster_state:ok" in client.execute_command("CLUSTER INFO") for client in self._clients.values())

    def wait_until_whole(self) -> None:
        """Until it serves, or serves again."""
        until = time.monotonic() + PATIENCE
        while not self.is_whole():
            assert time.monotonic() < until, "the cluster does not come together"
            time.sleep(0.02)

    def wait_until_agreed(self) -> None:
        """Until all masters tell the same of each other: one that knows of no newer epoch would not keep a slot."""
        until = time.monotonic() + PATIENCE
        while len({self._told(one) for one in self.masters}) > 1:
            assert time.monotonic() < until, "the masters do not agree"
            time.sleep(0.01)

    def _told(self, server: RedisServer) -> tuple[str, ...]:
        nodes = (line.split() for line in self.client(server).execute_command("CLUSTER NODES").decode().splitlines())
        return tuple(
            sorted(f"{one[0]} {one[6]} {' '.join(part for part in one[8:] if part[0] != '[')}" for one in nodes)
        )

    def wait_until_copied(self) -> None:
        """Until the replica has all that its master was told."""
        until = time.monotonic() + PATIENCE
        master, replica = self.owner(self._copied or ""), self.replicas[0]
        while self._offset(master, "master_repl_offset") != self._offset(replica, "slave_repl_offset"):
            assert time.monotonic() < until, "the replica stays behind"

    def lose(self, server: RedisServer) -> None:
        """Kill a master, as a crash would."""
        server.stop()
        self._clients.pop(server.port).close()

    def _server(self, directory: Path) -> RedisServer:
        directory.mkdir(parents=True)
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)]
        options += ["--repl-diskless-sync-delay", "0"]
        auth = ["--masterauth", self._password] if self._password else []
        return RedisServer(directory, *options, *auth, password=self._password, bus=True)

    def _connect(self, server: RedisServer) -> Any:
        # One reply after the other, as it comes: the library would make its own sense of some.
        client = redis.Redis(port=server.port, password=self._password, protocol=2)
        client.response_callbacks.clear()
        return client

    def _id(self, server: RedisServer) -> str:
        return str(self.client(server).execute_command("CLUSTER MYID").decode())

    def _offset(self, server: RedisServer, name: str) -> int:
        return int(self.client(server).execute_command("INFO", "replication").decode().split(f"{name}:")[1].split()[0])

    def _found(self) -> None:
        share = REDIS_CLUSTER_HASH_SLOTS // len(self.masters) + 1
        for number, one in enumerate(self.masters):
            slots = range(number * share, min((number + 1) * share, REDIS_CLUSTER_HASH_SLOTS))
            self.client(one).execute_command("CLUSTER ADDSLOTS", *slots)
            self.client(one).execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for client in self._clients.values():
            for port in self._clients:
                client.execute_command("CLUSTER MEET", "127.0.0.1", port)
        self.wait_until_whole()
        for replica in self.replicas:
            self._follow(replica, self.owner(self._copied or ""))

    def _follow(self, replica: RedisServer, master: RedisServer) -> None:
        until = time.monotonic() + PATIENCE
        name, client = self._id(master), self.client(replica)
        while name not in client.execute_command("CLUSTER NODES").decode():
            assert time.monotonic() < until, "the replica does not get to know its master"
            time.sleep(0.02)
        client.execute_command("CLUSTER REPLICATE", name)
        while b"master_link_status:up" not in client.execute_command("INFO", "replication"):
            assert time.monotonic() < until, "the replica does not follow its master"
            time.sleep(0.02)
