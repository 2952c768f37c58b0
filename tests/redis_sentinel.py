"""A real master with a replica, and the sentinel that watches them, for tests."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import redis

from tests.redis_server import PATIENCE, RedisServer

SERVICE = "themaster"
DOWN_AFTER_MS = 500


class _Sentinel(RedisServer):
    """A sentinel that knows from its file whom to watch."""

    def __init__(self, directory: Path, master: RedisServer, passwords: tuple[str, str]) -> None:
        super().__init__(directory, ready="# +monitor master")
        data, own = passwords
        self._file = directory / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {directory}\nrequirepass {own}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
            f"sentinel auth-pass {SERVICE} {data}\n"
        )

    def start(self) -> None:
        self._launch([str(self._file), "--sentinel"])


class SentinelHouse:
    """Two servers, the first of which is the master at first, and one sentinel. All ask for passwords."""

    PASSWORD = "of-the-data"
    SENTINEL_PASSWORD = "of-the-sentinel"

    def __init__(self, directory: Path) -> None:
        self._stack = ExitStack()
        auth = ("--masterauth", self.PASSWORD, "--repl-diskless-sync-delay", "0")
        for name in ("first", "second", "sentinel"):
            (directory / name).mkdir(parents=True)
        self.first = RedisServer(directory / "first", *auth, password=self.PASSWORD)
        follow = ("--replicaof", "127.0.0.1", str(self.first.port))
        self.second = RedisServer(
            directory / "second", *auth, *follow, password=self.PASSWORD, ready="Finished with succ"
        )
        self.sentinel = _Sentinel(directory / "sentinel", self.first, (self.PASSWORD, self.SENTINEL_PASSWORD))

    @property
    def url(self) -> str:
        """The sentinel, behind one that is away."""
        return f"redis+sentinel://:{self.PASSWORD}@127.0.0.1:1,127.0.0.1:{self.sentinel.port}/{SERVICE}/0"

    def __enter__(self) -> "SentinelHouse":
        for server in (self.first, self.second, self.sentinel):
            self._stack.enter_context(server)
        self._stack.callback(lambda: [client.close() for client in (self._asked, *self._clients)])
        self._asked = redis.Redis(port=self.sentinel.port, password=self.SENTINEL_PASSWORD)
        self._clients = [redis.Redis(port=one.port, password=self.PASSWORD) for one in (self.first, self.second)]
        self.wait_until(self._has_heir)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def master_port(self) -> int:
        """Who the master is, by the sentinel."""
        return int(self._told("port"))

    def fail_over(self) -> None:
        """Make the other one the master, while both live."""
        before = self.master_port
        self._asked.execute_command("SENTINEL FAILOVER", SERVICE)
        self.wait_until(lambda: self.master_port != before and self._told("flags") == "master")

    def is_copied(self) -> bool:
        """True when the replica has all that the first server was told."""
        first, second = (one.info("replication") for one in self._clients)
        return bool(second["master_link_status"] == "up" and first["master_repl_offset"] == second["slave_repl_offset"])

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Until it is true."""
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, self._asked.execute_command("SENTINEL MASTERS")
            time.sleep(0.02)

    def _has_heir(self) -> bool:
        """True when it knows a replica that can become the master."""
        replicas = self._asked.sentinel_slaves(SERVICE)
        return any(one["flags"] == "slave" and one["master-link-status"] == "ok" for one in replicas)

    def _told(self, field: str) -> str:
        return str(self._asked.sentinel_master(SERVICE)[field])
