"""What was fetched lately, so that the next turn of a conversation does not fetch it again."""

from collections import OrderedDict

from core.clock import Clock

KEPT_SECONDS = 300.0


class Fetched:
    """Keeps texts for five minutes, `limit` characters of them in all; what was used longest ago goes first."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._size = 0
        self._entries: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    def find(self, tenant: str, url: str) -> str | None:
        """What `tenant` had fetched from `url`; nobody else's counts."""
        until, text = self._entries.get((tenant, url), (0.0, ""))
        if until <= self._clock.monotonic():
            self._forget((tenant, url))
            return None
        self._entries.move_to_end((tenant, url))
        return text

    def keep(self, tenant: str, url: str, text: str) -> None:
        """Keep it for a while, if there is room for it at all."""
        self._forget((tenant, url))
        if len(text) > self._limit:
            return
        self._entries[tenant, url] = (self._clock.monotonic() + KEPT_SECONDS, text)
        self._size += len(text)
        while self._size > self._limit:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(entry[1])
