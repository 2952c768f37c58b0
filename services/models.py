"""ModelService: the models that can be asked, as clients see them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.caller import Caller
from schemas.model import ModelInfo, Price
from services.access import is_permitted, permit
from services.routing import RoutingService


class ModelService:
    """Lists what is really routable now, under its own names and its aliases."""

    def __init__(self, routing: RoutingService) -> None:
        self._routing = routing

    def listing(self, caller: Caller | None = None) -> list[dict[str, Any]]:
        """Every routable name that the caller may use, in OpenAI's shape, aliases after the model they stand for."""
        return [self._entry(info, name) for info, name in self._named(caller)]

    def one(self, name: str, caller: Caller | None = None) -> dict[str, Any]:
        """One model by any of its names, under the name that was asked for. Raises ModelNotFound, ModelNotAllowed."""
        permit(caller, *self._routing.names(name))
        return self._entry(self._routing.info(name), name)

    def anthropic_page(
        self, limit: int, after: str | None, before: str | None, caller: Caller | None = None
    ) -> dict[str, Any]:
        """The page of at most `limit` models behind `after`, or ahead of `before`, in Anthropic's shape.

        (https://platform.claude.com/docs/en/api/models-list)
        """
        entries = [_anthropic(info, name) for info, name in self._named(caller)]
        ids = [entry["id"] for entry in entries]
        start = ids.index(after) + 1 if after in ids else 0
        end = ids.index(before) if before in ids else len(entries)
        page = entries[start:end]
        page = page[-limit:] if before in ids and after not in ids else page[:limit]
        last = start + len(page) if before not in ids else end
        return {
            "data": page,
            "has_more": bool(page) and (last < len(entries) if before not in ids else len(page) < end - start),
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }

    def anthropic_one(self, name: str, caller: Caller | None = None) -> dict[str, Any]:
        """One model in Anthropic's shape, under the name that was asked for. Raises as `one` does."""
        permit(caller, *self._routing.names(name))
        return _anthropic(self._routing.info(name), name)

    def _named(self, caller: Caller | None) -> Iterator[tuple[ModelInfo, str]]:
        for info in self._routing.routable():
            for name in (info.id, *info.aliases):
                if is_permitted(caller, name, info.id):
                    yield info, name

    def _entry(self, info: ModelInfo, name: str) -> dict[str, Any]:
        targets = self._routing.targets(name)
        stand_in = targets[0].info.id
        # What it costs where it is asked for first.
        price = (targets[0].info if stand_in == info.id else info).price_on(datetime.now(UTC).date())
        entry: dict[str, Any] = {
            "id": name,
            "object": "model",
            "created": info.created,
            "owned_by": info.owner,
            "context_length": info.context,
            "max_output_tokens": info.max_output,
            "abilities": sorted(info.abilities),
            "thinking": info.thinking,
            "providers": self._routing.providers(name),
            "pricing": None if price is None else _pricing(price),
        }
        if name != info.id:
            entry["alias_of"] = info.id
        elif stand_in != info.id:
            entry["served_by"] = stand_in
        return entry


def _pricing(price: Price) -> Mapping[str, Any]:
    priced = {
        "currency": "USD",
        "per_tokens": 1_000_000,
        "input": price.input,
        "cached_input": price.cached,
        "output": price.output,
        "since": price.since.isoformat(),
    }
    writes = {"cache_write": price.write_short, "cache_write_long": price.write_long}
    return priced | {name: value for name, value in writes.items() if value is not None}


def _anthropic(info: ModelInfo, name: str) -> dict[str, Any]:
    created = datetime.fromtimestamp(info.created, UTC).isoformat().replace("+00:00", "Z")
    entry = {"type": "model", "id": name, "display_name": name, "created_at": created}
    limits = {"max_input_tokens": info.context, "max_tokens": info.max_output}
    return entry | {field: tokens for field, tokens in limits.items() if tokens}
