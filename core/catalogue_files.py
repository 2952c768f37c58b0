"""Reads the models that are known from the files of `config/models`, one a vendor."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.model import ModelInfo

FOLDER = Path(__file__).parent.parent / "config" / "models"
FIRST = "glm"
_COLUMNS = {field.name for field in fields(ModelInfo)} - {"created"} | {"released"}
_UNKNOWN = {"context": 0, "max_output": 0}


def read_models(folder: Path = FOLDER) -> Iterator[ModelInfo]:
    """The models of every YAML file in `folder`: those of GLM first, then by the names of the files.

    A row has what stands under its file's `defaults` unless it says otherwise itself. Raises ValueError that names the
    file and what is wrong with it.
    """
    for file in sorted(folder.glob("*.yaml"), key=lambda file: (file.stem != FIRST, file.stem)):
        yield from _models(file)


def _models(file: Path) -> tuple[ModelInfo, ...]:
    try:
        document = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
        defaults = {**_UNKNOWN, **(document.get("defaults") or {})}
        rows = [_row({**defaults, **row}) for row in document["models"]]
        return TypeAdapter(tuple[ModelInfo, ...]).validate_python(rows)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ValueError(f"{file.name}: {wrong}") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError, YAMLError) as error:
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
