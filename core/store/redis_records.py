"""Records in redis."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from core.store.base import Overtaken, Record, Span
from core.store.encoding import decode, encode

_ATTEMPTS = 100


class Link(Protocol):
    """What reaches redis; every method raises StoreUnavailable."""

    def run(self, command: str, key: str, *arguments: str | bytes | float) -> Any: ...

    def script(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any: ...


class RedisRecords:
    """A hash for each kind, so that all records of a kind come in one trip, and beside it the order of its keys."""

    def __init__(self, link: Link, prefix: str) -> None:
        self._link = link
        self._prefix = prefix

    def get(self, kind: str, key: str) -> Record | None:
        """The record, or None."""
        data = self._link.run("HGET", self._hash(kind), key)
        return None if data is None else decode(kind, key, data)

    def all(self, kind: str) -> dict[str, Record]:
        """Every record of the kind, by key."""
        found = {key.decode(): data for key, data in self._link.run("HGETALL", self._hash(kind)).items()}
        return {key: decode(kind, key, data) for key, data in found.items()}

    def put(self, kind: str, key: str, value: Record) -> None:
        """Write the record, replacing what was there."""
        self.put_all(kind, {key: value})

    def put_all(self, kind: str, values: Mapping[str, Record]) -> None:
        """Write all of these, together."""
        pairs: list[str | bytes] = [part for key, value in values.items() for part in (key, encode(value))]
        if pairs:
            self._link.script("put", self._keys(kind), pairs)

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        """Replace the record by `edit` of what is there now, calling it again when another worker was faster.

        Raises Overtaken when others were faster a hundred times.
        """
        data = self._link.run("HGET", self._hash(kind), key)
        for _ in range(_ATTEMPTS):
            value = edit(None if data is None else decode(kind, key, data))
            known = [] if data is None else [data]
            data = self._link.script("swap", self._keys(kind), [key, encode(value), *known])
            if data == 1:
                return value
        raise Overtaken(f"the record {kind}/{key} changes too fast")

    def delete(self, kind: str, key: str) -> bool:
        """Remove the record; False when there was none."""
        return bool(self._link.script("remove", self._keys(kind), [key]))

    def page(self, kind: str, span: Span) -> list[tuple[str, Record]]:
        """The records of a stretch of keys, in the order of their keys' bytes."""
        after = f"({span.after}" if span.after else "-"
        before = f"({span.before}" if span.before else "+"
        bounds: list[str | float] = [after, before, span.limit, int(span.backwards)]
        names, values = self._link.script("page", self._keys(kind), bounds)
        found = zip((name.decode() for name in names), values, strict=True)
        return [(name, decode(kind, name, data)) for name, data in found]

    def prune(self, kind: str, before: str, limit: int) -> int:
        """Remove up to `limit` records, the first ones, whose keys stand before `before`; how many those were."""
        return int(self._link.script("prune", self._keys(kind), [f"({before}", limit]))

    def drop(self, kind: str) -> None:
        """Remove every record of the kind."""
        self._link.run("UNLINK", *self._keys(kind))

    def _keys(self, kind: str) -> list[str]:
        return [self._hash(kind), f"{self._hash(kind)}:order"]

    def _hash(self, kind: str) -> str:
        # One hash tag for both keys of a kind, so that one script reaches them in a cluster too.
        return f"{self._prefix}:{{{self._prefix}:records:{kind}}}"
