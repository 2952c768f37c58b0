"""Retired: configurations that are not in effect any more, while requests still go by them."""

from services.in_flight import InFlight
from services.tokens import TokenService


class Retired:
    """Shares what is learned of their keys, until the last of their requests is over."""

    def __init__(self) -> None:
        self._those: list[tuple[TokenService, InFlight]] = []

    def __len__(self) -> int:
        return len(self._those)

    def add(self, tokens: TokenService, in_flight: InFlight) -> None:
        """One more."""
        self._those.append((tokens, in_flight))

    def sync(self) -> None:
        """Share their news, and forget those that nobody goes by any more: every second."""
        for tokens, in_flight in list(self._those):
            over = not in_flight.count
            tokens.sync()
            if over:
                self._those.remove((tokens, in_flight))
