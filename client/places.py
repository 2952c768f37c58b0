"""Where a call may go, in which order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One gateway, asked for one model; "" where no model is asked for."""

    gateway: str
    model: str


class Places:
    """The gateways in their order, those that have failed lately last; each with every model, the first one first."""

    def __init__(self, gateways: Sequence[str], rest: float, clock: Callable[[], float]) -> None:
        self._gateways = tuple(url.rstrip("/") for url in gateways)
        self._rest = rest
        self._clock = clock
        self._failed_at: dict[str, float] = {}

    def of(self, models: Sequence[str]) -> Iterator[Place]:
        """Every place once: the first model at every gateway, then the next."""
        now = self._clock()
        tired = {url for url, at in self._failed_at.items() if now - at < self._rest}
        ordered = sorted(self._gateways, key=lambda url: url in tired)
        for model in models:
            for gateway in ordered:
                yield Place(gateway, model)

    def failed(self, gateway: str) -> None:
        """It could not be reached, or said itself that it failed."""
        self._failed_at[gateway] = self._clock()

    def works(self, gateway: str) -> None:
        """It has answered."""
        self._failed_at.pop(gateway, None)
