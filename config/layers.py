"""Settings as they were written in one place, each value with its origin."""

from dataclasses import dataclass
from typing import Any

SettingPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a variable or a file, and the value's own name in that file."""

    source: str
    place: str = ""

    def label(self, path: str) -> str:
        """Name both the place the value was written at, and the setting `path` it is for."""
        if not self.place:
            return f"{self.source} ({path})"
        return f"{self.source}: {path}" if self.place == path else f"{self.source}: {self.place} ({path})"


class Layer:
    """A tree of values; a later layer is laid over an earlier one. `problems` are mistakes found on the way."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[SettingPath, Origin] = {}
        self.problems: list[str] = []

    def put(self, path: SettingPath, value: Any, origin: Origin) -> None:
        """Set the value at `path`; a mapping is merged into what stands there, everything else replaces it."""
        if isinstance(value, dict):
            self._group(path, origin)
            if not value:
                self.origins[path] = origin
            for name, inner in value.items():
                deeper = Origin(origin.source, f"{origin.place}.{name}" if origin.place else "")
                self.put((*path, str(name)), inner, deeper)
            return
        group = self._group(path[:-1], origin)
        if isinstance(group.get(path[-1]), dict):
            self._forget_below(path)
        group[path[-1]] = value
        self.origins[path] = origin

    def pop(self, path: SettingPath) -> tuple[Any, Origin] | None:
        """Take the value at `path` out; None when nothing stands there."""
        group = self.get(path[:-1])
        if not isinstance(group, dict) or path[-1] not in group:
            return None
        return group.pop(path[-1]), self.origins.pop(path, Origin("the configuration"))

    def get(self, path: SettingPath) -> Any:
        """Return the value at `path`, None when nothing stands there."""
        node: Any = self.values
        for name in path:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    def lay(self, other: "Layer") -> None:
        """Lay `other` over this one: what it says wins."""
        for path, origin in other.origins.items():
            self.put(path, other.get(path), origin)
        self.problems.extend(other.problems)

    def _forget_below(self, path: SettingPath) -> None:
        for deeper in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[deeper]

    def _group(self, path: SettingPath, origin: Origin) -> dict[str, Any]:
        node = self.values
        for depth, name in enumerate(path, start=1):
            inner = node.get(name)
            if not isinstance(inner, dict):
                if inner is not None:
                    wrong = ".".join(path[:depth])
                    self.problems.append(
                        f"{self.origins.get(path[:depth], origin).label(wrong)}: must be a group of settings"
                    )
                inner = node[name] = {}
                self.origins.pop(path[:depth], None)
            node = inner
        return node
