"""The models that are known, by all their names."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from config.settings import ModelSettings
from core.catalogue_changes import changed
from core.catalogue_files import FOLDER, read_models
from schemas.model import ModelInfo

ISSUE = re.compile(r"[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6}|\d{3,4}|latest)$", re.ASCII)
"""How vendors end the name of one issue of a model: by its day, its number, or `latest`."""


class Catalogue:
    """The known models in their order; names are looked up in any case."""

    def __init__(self, models: Iterable[ModelInfo]) -> None:
        """Raises ValueError when two models share a name."""
        self.models = tuple(models)
        self._by_name: dict[str, ModelInfo] = {}
        for model in self.models:
            for name in (model.id, *model.aliases):
                if self._by_name.setdefault(name.lower(), model) is not model:
                    raise ValueError(f"two models of the catalogue are called {name}")

    def find(self, name: str) -> ModelInfo | None:
        """Return the model with that id or alias."""
        return self._by_name.get(name.lower())

    def base_of(self, name: str) -> ModelInfo | None:
        """The model of which `name` says a certain issue, as `gpt-5.4-2026-03-01` does; None when it says none."""
        base = ISSUE.sub("", name.lower())
        return self._by_name.get(base) if base != name.lower() else None

    def near(self, name: str, limit: int = 5) -> list[str]:
        """Return the ids of at most `limit` models whose names resemble `name`, the nearest first."""
        close = get_close_matches(name.lower()[:100], self._by_name, n=limit * 2)
        return list(dict.fromkeys(self._by_name[match].id for match in close))[:limit]


def load_catalogue(
    changes: Mapping[str, ModelSettings] | None = None,
    folder: Path = FOLDER,
    shipped: Iterable[ModelInfo] | None = None,
) -> Catalogue:
    """Return the catalogue in the files of `folder`, with what the configuration says of models laid over it.

    `shipped` is what stands in the files, if they have been read already, which takes a while. Raises ValueError that
    names the file, the setting or the two models that are wrong.
    """
    catalogue = Catalogue(read_models(folder) if shipped is None else shipped)
    return Catalogue(changed(catalogue.models, changes)) if changes else catalogue


class CatalogueBook:
    """Makes catalogues out of the files of one folder, which are read again only when they have changed."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._state: object = None
        self._shipped: tuple[ModelInfo, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All that it reads."""
        return tuple(sorted(self._folder.glob("*.yaml")))

    def catalogue(self, changes: Mapping[str, ModelSettings]) -> Catalogue:
        """The models of the files with `changes` laid over them. Raises ValueError as `load_catalogue` does."""
        state = [(file, stat.st_mtime_ns, stat.st_size, stat.st_ino) for file in self.files if (stat := file.stat())]
        if state != self._state:
            self._shipped, self._state = tuple(read_models(self._folder)), state
        return load_catalogue(changes, shipped=self._shipped)
