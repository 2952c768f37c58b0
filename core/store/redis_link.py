"""Commands and scripts, whichever servers redis is made of."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from redis.exceptions import NoScriptError, RedisError

from core.errors import StoreUnavailable
from core.store.owed import Untried
from core.store.redis_nodes import Command, NeverSent
from core.store.redis_scripts import load_scripts


class Servers(Protocol):
    """What redis is made of. Every method raises RedisError or OSError, after a bounded time."""

    def ask(self, key: str, *command: str | bytes | float) -> Any:
        """What the server that has `key` answers."""

    def ask_all(self, keys: Sequence[str], commands: Sequence[Command]) -> list[Any]:
        """What is answered to each command, which belongs where its key is; refusals stand among the answers."""

    def texts(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under each key."""

    def ping(self) -> bool:
        """True when all that is needed answers now."""

    def each(self, *command: str) -> list[Any]:
        """What every server that has keys answers; a refusal stands among the answers."""

    def close(self) -> None:
        """Close every connection."""


class Link:
    """Each method is one round trip, to each of the servers that have the keys; all raise StoreUnavailable."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._scripts = load_scripts()

    def run(self, command: str, key: str, *arguments: str | bytes | float) -> Any:
        """What redis answers to one command."""
        with _reaching():
            return self._servers.ask(key, command, key, *arguments)

    def script(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        """What a script answers, whose keys have one hash tag; two round trips when redis does not know it yet."""
        script = self._scripts[name]
        with _reaching():
            try:
                return self._servers.ask(keys[0], "EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self._servers.ask(keys[0], "EVAL", script.source, len(keys), *keys, *arguments)

    def run_all(self, commands: Sequence[tuple[str, ...]]) -> None:
        """Do all of these, each of which has its one key behind its name."""
        with _reaching():
            answers = self._servers.ask_all([command[1] for command in commands], commands)
            for answer in answers:
                if isinstance(answer, RedisError):
                    raise answer

    def texts(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under each key."""
        with _reaching():
            return self._servers.texts(keys)

    def ping(self) -> bool:
        """True when redis answers now."""
        try:
            with _reaching():
                return self._servers.ping()
        except StoreUnavailable:
            return False

    def filled(self) -> float:
        """The share of its memory that the fullest server has taken; 0 where none has a bound, or none tells."""
        with _reaching():
            told = self._servers.each("INFO", "memory")
        # A service that somebody else runs may keep this to itself.
        bounds = [one for one in told if isinstance(one, Mapping) and one.get("maxmemory")]
        return max((one["used_memory"] / one["maxmemory"] for one in bounds), default=0.0)


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except NeverSent as error:
        raise Untried("the shared store cannot be reached") from error.__cause__
    except (RedisError, OSError) as error:
        raise StoreUnavailable("the shared store cannot be reached") from error
