"""ModelService: the models that can be asked, as clients see them."""

from datetime import UTC, datetime
from typing import Any

from schemas.model import ModelInfo
from services.routing import RoutingService


class ModelService:
    """Lists what is really routable now, under its own names and its aliases."""

    def __init__(self, routing: RoutingService) -> None:
        self._routing = routing

    def listing(self) -> list[dict[str, Any]]:
        """Every routable name, aliases after the model they stand for."""
        return [self._entry(info, name) for info in self._routing.routable() for name in (info.id, *info.aliases)]

    def one(self, name: str) -> dict[str, Any]:
        """One model by any of its names, under the name that was asked for. Raises ModelNotFound."""
        return self._entry(self._routing.info(name), name)

    def _entry(self, info: ModelInfo, name: str) -> dict[str, Any]:
        price = info.price_on(datetime.now(UTC).date())
        entry: dict[str, Any] = {
            "id": name,
            "object": "model",
            "created": info.created,
            "owned_by": info.owner,
            "context_length": info.context,
            "max_output_tokens": info.max_output,
            "abilities": sorted(info.abilities),
            "thinking": info.thinking,
            "providers": self._routing.providers(info),
            "pricing": None,
        }
        if price is not None:
            entry["pricing"] = {
                "currency": "USD",
                "per_tokens": 1_000_000,
                "input": price.input,
                "cached_input": price.cached,
                "output": price.output,
                "since": price.since.isoformat(),
            }
        if name != info.id:
            entry["alias_of"] = info.id
        return entry
