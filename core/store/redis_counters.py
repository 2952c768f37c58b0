"""Counters in redis."""

from collections.abc import Mapping, Sequence
from struct import unpack
from typing import Any, Protocol

from core.store.base import Reading, Room, Taken, Turn, Window
from core.store.deadline import Deadline
from core.store.windows import check

_ENTRY_BYTES = 700
"""About what a text in a room costs beside itself and its name: as much as redis was seen to take for it."""


class Link(Protocol):
    """What reaches redis; every method raises StoreUnavailable."""

    def run(self, command: str, key: str, *arguments: str | bytes | float) -> Any: ...

    def script(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any: ...

    def run_all(self, commands: Sequence[tuple[str, ...]]) -> None: ...

    def texts(self, keys: Sequence[str]) -> list[bytes | None]: ...


class RedisCounters:
    """Windows under one hash tag, so that one script reaches all of a call in a cluster too; the rest is spread."""

    def __init__(self, link: Link, prefix: str, timeout: float) -> None:
        """`timeout` is how long each command is waited for, in seconds."""
        self._link = link
        self._deadline = Deadline(timeout)
        self.crowded = False
        self._prefix = prefix
        # The prefix stands in it too, so that the meters of two gateways need not be at one server of a cluster.
        self._tag = f"{prefix}:{{{prefix}:limits}}"

    def take(self, windows: Sequence[Window], now: float) -> Taken:
        """Count every window's cost, or none of them, in one round trip.

        `retry_after` of a cost above its limit, which is never granted, is the whole window. Raises ValueError for
        windows that make no sense.
        """
        check(windows)
        told = self._taken(windows, now)
        # Too late by a clock that was set, by that of another server, or as a connection had to be made: somebody waits
        # all the same.
        granted, *numbers = told or self._taken(windows, now, waits=True)
        readings = (Reading(int(numbers[i]), *numbers[i + 1 : i + 3]) for i in range(0, len(numbers), 3))
        return Taken(granted == 1, tuple(readings))

    def correct(self, windows: Sequence[Window], at: float, now: float, *, alone: bool = False) -> None:
        """Add each window's cost, which may be negative here, to what was taken at `at`, in one round trip."""
        if windows:
            self._link.script("correct", *self._asked(windows, [now, at]))

    def lock(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Hold or renew the named lock for `seconds`; False while another owner holds it."""
        return bool(self._link.script("lock", [self._lock_key(name)], [owner, seconds, now]))

    def unlock(self, name: str, owner: str) -> None:
        """Give the lock back if `owner` still holds it."""
        self._link.script("unlock", [self._lock_key(name)], [owner])

    def claim(self, name: str, owner: str, limit: int, seconds: float, now: float, turn: Turn | None = None) -> bool:
        """Hold or renew one of `limit` places for `seconds`; False while others hold them all, or stand in line."""
        keys: list[str] = [self._places_key(name)]
        asked: list[str | float] = [owner, limit, seconds, now]
        if turn is not None:
            keys.append(self._line_key(name))
            asked += (turn.who, turn.since, int(turn.waits), turn.seconds)
        return bool(self._link.script("claim", keys, asked))

    def unclaim(self, name: str, owner: str) -> None:
        """Give the owner's place back, if it has one."""
        self._link.script("unclaim", [self._places_key(name)], [owner])

    def held(self, name: str, now: float) -> int:
        """How many of the places under that name are held."""
        return int(self._link.run("ZCOUNT", self._places_key(name), f"({now:.6f}", "+inf"))

    def keep(self, texts: Mapping[str, str], seconds: float, now: float, room: Room | None = None) -> None:
        """Keep short texts under these names for `seconds`, in one round trip to each server.

        With a room there is one ahead of that, to its list. Whoever dies between the two leaves texts that had to go
        until they end by themselves. Without a room nothing bounds them, so that none are kept while it is `crowded`.
        """
        if room is None and self.crowded:
            return
        gone = self._admitted(texts, seconds, now, room) if room is not None and texts else frozenset()
        lifetime = str(max(1, int(seconds * 1000)))
        stay = [("SET", self._kept_key(name), text, "PX", lifetime) for name, text in texts.items() if name not in gone]
        commands = [*stay, *(("UNLINK", self._kept_key(name)) for name in gone)]
        if commands:
            self._link.run_all(commands)

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which a text is kept, in one round trip to each server."""
        if not names:
            return {}
        values = self._link.texts([self._kept_key(name) for name in names])
        return {name: value.decode() for name, value in zip(names, values, strict=True) if value is not None}

    def use(self, names: Sequence[str], room: str, now: float) -> None:
        """Let others of the room go first, in one round trip."""
        if names:
            pairs = [part for name in names for part in (now, name)]
            self._link.run("ZADD", self._room_keys(room)[0], "XX", *pairs)

    def _taken(self, windows: Sequence[Window], now: float, *, waits: bool = False) -> tuple[float, ...]:
        """What the script says; nothing when redis had it too late, by what was known of its clock until now.

        With `waits` it is never too late.
        """
        began = self._deadline.begin()
        until = 0.0 if waits else self._deadline.of(began)
        spent = self._link.script("take", *self._asked(windows, [now, until]))
        there, *numbers = unpack(f"<{len(spent) // 8}d", spent)
        if not numbers:
            self._deadline.relearn(began, there)
        else:
            self._deadline.learn(began, there)
        return tuple(numbers)

    def _admitted(self, texts: Mapping[str, str], seconds: float, now: float, room: Room) -> frozenset[str]:
        """Put the texts on the room's list; who has to go for them."""
        sizes = {name: _ENTRY_BYTES + len(name) + len(text.encode()) for name, text in texts.items()}
        entries = [part for name, size in sizes.items() for part in (name, size)]
        arguments: list[str | float] = [now, seconds, room.max_bytes, *entries]
        return frozenset(name.decode() for name in self._link.script("admit", self._room_keys(room.name), arguments))

    def _asked(self, windows: Sequence[Window], times: list[float]) -> tuple[list[str], list[str | float]]:
        """Keys and arguments of a script on windows. What a kind keeps in its own form has a key of its own."""
        keys: list[str] = []
        arguments: list[str | float] = [*times]
        for one in windows:
            kind = "" if one.kind == "sliding" else f"{one.kind}:"
            keys.append(f"{self._tag}:{kind}{float(one.seconds)}:{one.key}")
            arguments += (one.kind, one.limit, one.seconds, one.cost)
        return keys, arguments

    def _kept_key(self, name: str) -> str:
        return f"{self._prefix}:kept:{name}"

    def _room_keys(self, room: str) -> list[str]:
        tag = f"{self._prefix}:{{{self._prefix}:room:{room}}}"
        return [f"{tag}:order", f"{tag}:ends", f"{tag}:sizes"]

    def _places_key(self, name: str) -> str:
        return f"{self._prefix}:places:{name}"

    def _line_key(self, name: str) -> str:
        # In braces what counts for a cluster, so that both keys of the script are on one server.
        return f"{self._prefix}:line:{{{self._places_key(name)}}}"

    def _lock_key(self, name: str) -> str:
        return f"{self._prefix}:lock:{name}"
