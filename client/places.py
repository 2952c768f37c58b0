"""Where a call may go, in which order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Place:
    """One gateway, asked for one model; "" where no model is asked for."""

    gateway: str
    model: str


class Places:
    """The gateways in their order, each with every model, and which of them have failed lately."""

    def __init__(self, gateways: Sequence[str], rest: float, clock: Callable[[], float]) -> None:
        self._gateways = tuple(gateways)
        self._rest = rest
        self._clock = clock
        self._failed_at: dict[str, float] = {}

    def of(self, models: Sequence[str]) -> Iterator[Place]:
        """Every place once: the first model at every gateway, then the next."""
        for model in models:
            for gateway in self._gateways:
                yield Place(gateway, model)

    def rests(self, gateway: str) -> bool:
        """True when it has failed lately, and is asked only where no other can be."""
        return self._clock() - self._failed_at.get(gateway, -inf) < self._rest

    def failed(self, gateway: str) -> None:
        """It could not be reached, or said itself that it failed."""
        self._failed_at[gateway] = self._clock()

    def works(self, gateway: str) -> None:
        """It has answered."""
        self._failed_at.pop(gateway, None)


def addresses(gateways: str | Sequence[str]) -> tuple[str, ...]:
    """The gateways' base addresses. Raises ValueError when there is none, or one is no address."""
    given = [gateways] if isinstance(gateways, str) else gateways
    if not given:
        raise ValueError("there is no gateway to ask")
    for url in given:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as http://127.0.0.1:8976")
    return tuple(url.rstrip("/") for url in given)
