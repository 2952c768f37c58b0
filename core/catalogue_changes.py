"""Lays what the configuration says of models over what is known of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from config.settings import ModelSettings
from schemas.model import Ability, ModelInfo, Price

UNDESCRIBED: frozenset[Ability] = frozenset({"streaming", "tools", "json_object"})
"""What a model can do of which the configuration says nothing: what nearly every one can."""


def changed(models: Iterable[ModelInfo], settings: Mapping[str, ModelSettings]) -> tuple[ModelInfo, ...]:
    """The models with the configuration's changes, its new ones after them; names are compared in any case.

    A name the configuration gives to a model is taken away from all others: one that had it as an alias goes without,
    one that had it as its id is not there any more. Raises ValueError when names contradict each other.
    """
    _no_name_twice(settings)
    rows = {model.id.lower(): model for model in models}
    called = {name.lower(): key for key, model in rows.items() for name in (model.id, *model.aliases)}
    given: dict[str, str] = {}
    for name, entry in settings.items():
        if entry.alias_of is None:
            key = called.setdefault(name.lower(), name.lower())
            rows[key] = _described(rows.get(key) or _undescribed(name), entry)
            given |= dict.fromkeys(entry.aliases or (), key)
    called |= {alias.lower(): key for alias, key in given.items()}
    given |= {name: _target(name, entry.alias_of, called) for name, entry in settings.items() if entry.alias_of}
    _no_target_lost(given)
    for alias, key in given.items():
        _give(rows, alias, key)
    return tuple(rows.values())


def _no_name_twice(settings: Mapping[str, ModelSettings]) -> None:
    names = Counter(name.lower() for id_, entry in settings.items() for name in (id_, *(entry.aliases or ())))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"models: the name {twice[0]} is given to two models")


def _target(name: str, alias_of: str, called: Mapping[str, str]) -> str:
    if alias_of.lower() not in called:
        raise ValueError(f"models.{name}.alias_of: no model is called {alias_of}")
    return called[alias_of.lower()]


def _no_target_lost(given: Mapping[str, str]) -> None:
    lost = {alias.lower() for alias, key in given.items() if alias.lower() != key}
    for alias, key in given.items():
        if key in lost:
            raise ValueError(f"models: {alias} cannot stand for {key}, which stands for another model itself")


def _give(rows: dict[str, ModelInfo], alias: str, key: str) -> None:
    name = alias.lower()
    for other, model in list(rows.items()):
        kept = tuple(each for each in model.aliases if each.lower() != name)
        if other != name:
            rows[other] = replace(model, aliases=(*kept, alias) if other == key else kept)
        elif other != key:
            del rows[other]


def _undescribed(name: str) -> ModelInfo:
    return ModelInfo(name, owner="unknown", context=0, max_output=0, upstream={}, abilities=UNDESCRIBED)


def _described(model: ModelInfo, entry: ModelSettings) -> ModelInfo:
    plain = ("owner", "context", "max_output", "thinking", "min_cacheable", "efforts", "surcharges")
    values: dict[str, Any] = {name: value for name in plain if (value := getattr(entry, name)) is not None}
    if entry.abilities is not None:
        values["abilities"] = frozenset(entry.abilities)
    elif entry.thinking is not None:
        others = model.abilities - {"thinking"}
        values["abilities"] = others if entry.thinking == "none" else others | {"thinking"}
    if entry.refuses is not None:
        values["refuses"] = frozenset(entry.refuses)
    if entry.prices is not None:
        prices = tuple(Price(**price.model_dump()) for price in entry.prices)
        is_added = bool(prices) and all(price.provider is not None for price in prices)
        values["prices"] = (*model.prices, *prices) if is_added else prices
    return replace(model, **values, upstream={**model.upstream, **entry.upstream})
