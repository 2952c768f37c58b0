"""A store in this process alone, which several workers of a test may share."""

from collections.abc import Callable, Mapping
from copy import deepcopy

from core.errors import StoreUnavailable
from core.store.base import Record, Span
from core.store.memory import MemoryCounters


class DictRecords:
    """Records in a dictionary; `away` makes every call fail."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Record]] = {}
        self.away = False
        self.writes = 0

    def get(self, kind: str, key: str) -> Record | None:
        return self.all(kind).get(key)

    def all(self, kind: str) -> dict[str, Record]:
        self._reach()
        return deepcopy(self.kinds.get(kind, {}))

    def put(self, kind: str, key: str, value: Record) -> None:
        self._reach()
        self.writes += 1
        self.kinds.setdefault(kind, {})[key] = deepcopy(value)

    def change(self, kind: str, key: str, edit: Callable[[Record | None], Record]) -> Record:
        value = edit(self.get(kind, key))
        self.put(kind, key, value)
        return value

    def delete(self, kind: str, key: str) -> bool:
        self._reach()
        return self.kinds.get(kind, {}).pop(key, None) is not None

    def page(self, kind: str, span: Span) -> list[tuple[str, Record]]:
        found = sorted(self.all(kind).items(), reverse=span.backwards)
        inside = [(key, value) for key, value in found if key > span.after and (not span.before or key < span.before)]
        return inside[: span.limit]

    def put_all(self, kind: str, values: Mapping[str, Record]) -> None:
        for key, value in values.items():
            self.put(kind, key, value)

    def prune(self, kind: str, before: str, limit: int) -> int:
        names = [key for key in sorted(self.all(kind)) if key < before][:limit]
        return sum(self.delete(kind, key) for key in names)

    def drop(self, kind: str) -> None:
        self._reach()
        self.kinds.pop(kind, None)

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("away")


class DictStore:
    """One home for both contracts."""

    def __init__(self) -> None:
        self.counters = MemoryCounters()
        self.records = DictRecords()
        self.degraded = False

    def expect(self, workers: int) -> None: ...

    def save(self) -> None: ...

    def measure(self) -> float:
        return 0.0

    def ping(self) -> bool:
        return True

    def close(self) -> None: ...
