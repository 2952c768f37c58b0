"""Short texts that are kept for a while, in this process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

MAX_BYTES = 32 * 1024 * 1024
_OVERHEAD = 200
"""About what an entry costs beside its text, in bytes."""


class Shelf:
    """Keeps each text until its time is over, or until newer ones need its room; the least lately used goes first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._mutex = threading.Lock()
        self._max_bytes = max_bytes
        self._texts: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._bytes = 0

    def keep(self, texts: Mapping[str, str], seconds: float, now: float, max_bytes: int | None = None) -> None:
        """Keep these for `seconds`, in place of what is kept under their names; from now on in so many bytes."""
        with self._mutex:
            self._max_bytes = self._max_bytes if max_bytes is None else max_bytes
            for name, text in texts.items():
                self._drop(name)
                self._texts[name] = (text, now + seconds)
                self._bytes += _size(name, text)
            self._fit()

    def resize(self, max_bytes: int) -> None:
        """Hold so much from now on."""
        with self._mutex:
            self._max_bytes = max_bytes
            self._fit()

    def kept(self, names: Sequence[str], now: float) -> dict[str, str]:
        """Those of the names under which something is kept, with it."""
        found = {}
        with self._mutex:
            for name in names:
                text, until = self._texts.get(name, ("", 0.0))
                if until > now:
                    self._texts.move_to_end(name)
                    found[name] = text
        return found

    def __len__(self) -> int:
        return len(self._texts)

    def _fit(self) -> None:
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._texts)))

    def _drop(self, name: str) -> None:
        if name in self._texts:
            self._bytes -= _size(name, self._texts.pop(name)[0])


def _size(name: str, text: str) -> int:
    return _OVERHEAD + len(name) + (len(text) if text.isascii() else len(text.encode()))
