"""The models that are known, from `models.yaml`."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.model import ModelInfo

_COLUMNS = {field.name for field in fields(ModelInfo)} - {"created"} | {"released"}


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

    def near(self, name: str, limit: int = 5) -> list[str]:
        """Return the ids of at most `limit` models whose names resemble `name`, the nearest first."""
        close = get_close_matches(name.lower()[:100], self._by_name, n=limit * 2)
        return list(dict.fromkeys(self._by_name[match].id for match in close))[:limit]


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Return the catalogue in the file `path`, `config/models.yaml` unless given.

    Raises ValueError that names the file and what is wrong with it.
    """
    file = path or Path(__file__).parent.parent / "config" / "models.yaml"
    try:
        document = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
        rows = [_row(row) for row in document["models"]]
        return Catalogue(TypeAdapter(tuple[ModelInfo, ...]).validate_python(rows))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ValueError(f"{file.name}: {wrong}") from None
    except (ValueError, KeyError, TypeError, OSError, YAMLError) as error:
        raise ValueError(f"{file.name}: {error}") from error


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(row) - _COLUMNS
    if unknown:
        raise ValueError(f"{row.get('id')}: unknown {', '.join(sorted(unknown))}")
    released = row.get("released")
    values = {name: value for name, value in row.items() if name != "released"}
    return values | {"created": _epoch(released) if released else 0}


def _epoch(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
