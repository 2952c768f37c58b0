"""The records of a shared home, of which copies can be read while it is away."""

from collections.abc import Callable, Mapping
from itertools import islice

from core.errors import StoreUnavailable
from core.store.base import Record, Records, Span
from core.store.gate import Gate

MAX_COPIES = 10_000
OF_ONE = ":"
"""Stands in the kinds that there is one of for each owner or each conversation."""


class ResilientRecords:
    """The home's records, with a copy of those seen last.

    No copy is kept of what is somebody's own: there is no end of such kinds, and who is told an old state, or that
    nothing is there, would act on it. Reading those raises StoreUnavailable.
    """

    def __init__(self, home: Records, gate: Gate) -> None:
        self._home = home
        self._gate = gate
        self._copies: dict[str, dict[str, Record]] = {}

    def get(self, kind: str, key: str) -> Record | None:
        """The record, or what was last seen of it."""
        try:
            value = self._gate.through(lambda: self._home.get(kind, key))
        except StoreUnavailable:
            if OF_ONE in kind:
                raise
            return self._copies.get(kind, {}).get(key)
        if value is not None:
            self._keep(kind, key, value)
        else:
            self._forget(kind, key)
        return value

    def all(self, kind: str) -> dict[str, Record]:
        """Every record of the kind, or what was last seen of them."""
        try:
            found = self._gate.through(lambda: self._home.all(kind))
        except StoreUnavailable:
            if OF_ONE in kind:
                raise
            return dict(self._copies.get(kind, {}))
        if OF_ONE not in kind:
            self._copies[kind] = dict(islice(found.items(), MAX_COPIES))
        return found

    def put(self, kind: str, key: str, value: Record) -> None:
        """Write the record. Raises StoreUnavailable."""
        self._gate.through(lambda: self._home.put(kind, key, value))
        self._keep(kind, key, value)

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        """Replace the record by `edit` of what is there. Raises StoreUnavailable."""
        value = self._gate.through(lambda: self._home.change(kind, key, edit))
        self._keep(kind, key, value)
        return value

    def delete(self, kind: str, key: str) -> bool:
        """Remove the record. Raises StoreUnavailable."""
        found = self._gate.through(lambda: self._home.delete(kind, key))
        self._forget(kind, key)
        return found

    def page(self, kind: str, span: Span) -> list[tuple[str, Record]]:
        """The records of a stretch of keys. Raises StoreUnavailable: of those no copy is kept."""
        return self._gate.through(lambda: self._home.page(kind, span))

    def put_all(self, kind: str, values: Mapping[str, Record]) -> None:
        """Write all of these. Raises StoreUnavailable."""
        self._gate.through(lambda: self._home.put_all(kind, values))

    def prune(self, kind: str, before: str, limit: int) -> int:
        """Remove the first records up to a key. Raises StoreUnavailable."""
        return self._gate.through(lambda: self._home.prune(kind, before, limit))

    def drop(self, kind: str) -> None:
        """Remove every record of the kind. Raises StoreUnavailable."""
        self._gate.through(lambda: self._home.drop(kind))
        self._copies.pop(kind, None)

    def _keep(self, kind: str, key: str, value: Record) -> None:
        if OF_ONE in kind:
            return
        copies = self._copies.setdefault(kind, {})
        if key in copies or len(copies) < MAX_COPIES:
            copies[key] = value

    def _forget(self, kind: str, key: str) -> None:
        self._copies.get(kind, {}).pop(key, None)
