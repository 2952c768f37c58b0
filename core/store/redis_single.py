"""A redis that is one server."""

from collections.abc import Sequence
from typing import Any

from config.settings import RedisAddress, StoreSettings
from core.store.redis_nodes import Command, Nodes, send_all


class SingleServer:
    """The server at the address; each question is one round trip."""

    def __init__(self, settings: StoreSettings, address: RedisAddress) -> None:
        self._nodes = Nodes(settings, address, (address.username, address.password), address.db)
        self._client = self._nodes.client(address.hosts[0] if address.hosts else ("", 0))

    def ask(self, key: str, *command: str | bytes | float) -> Any:
        """What it answers."""
        return self._client.execute_command(*command)

    def ask_all(self, keys: Sequence[str], commands: Sequence[Command]) -> list[Any]:
        """What it answers to each command; a refusal stands among the answers."""
        return send_all(self._client, commands)

    def texts(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under each key."""
        found: list[bytes | None] = self._client.execute_command("MGET", *keys)
        return found

    def ping(self) -> bool:
        """True when it answers now."""
        return bool(self._client.execute_command("PING"))

    def each(self, *command: str) -> list[Any]:
        """What it answers; a refusal stands among the answers."""
        return send_all(self._client, [command])

    def close(self) -> None:
        """Close every connection."""
        self._nodes.close()
