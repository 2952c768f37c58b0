"""KeyDesk: the words of the command line around callers' keys."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from core.clock import Clock
from schemas.key import KeyRotation, NewKey, StoredKey
from services.key_book import KeyBook

BY = "the command line"
HEADINGS = ("id", "name", "role", "status", "begins with", "models", "expires", "last used")


class KeyDesk:
    """Every method returns what to print. Raises NotFound and StoreUnavailable, and ValueError for a wrong wish."""

    def __init__(self, book: KeyBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def create(self, wanted: Mapping[str, Any]) -> str:
        """The new key."""
        try:
            new = NewKey.model_validate(wanted)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise ValueError(f"{problem['loc'][0]}: {problem['msg']}") from None
        key, secret = self._book.create(new, BY)
        return f"{secret}\n\nThis is {key.name}'s key ({key.id}, {key.role}). It is shown this once."

    def rotate(self, key_id: str, overlap: float) -> str:
        """The new secret; the old one works on for `overlap` seconds."""
        key, secret = self._book.rotate(key_id, KeyRotation(overlap=overlap), BY)
        old = f"The old one works for {overlap / 3600:g} more hours." if overlap else "The old one is over."
        return f"{secret}\n\nThis is the new key of {key.name} ({key.id}). It is shown this once. {old}"

    def revoke(self, key_id: str) -> str:
        """That it is done."""
        key = self._book.revoke(key_id, BY)
        return f"{key.name}'s key ({key.id}) is revoked."

    def listing(self) -> str:
        """A table, the newest first."""
        keys = self._book.all()
        if not keys:
            return "No keys have been made. Those of GATEWAY_API_KEYS and the configuration are not listed here.\n"
        rows = [HEADINGS, *map(self._row, keys)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "\n".join(lines) + "\n"

    def _row(self, key: StoredKey) -> tuple[str, ...]:
        now = self._clock.now()
        prefixes = [one.prefix + "…" for one in key.secrets if one.until is None or one.until > now]
        times = (_day(key.expires, "never"), _day(key.last_used, "never"))
        status = key.status(now)
        return (key.id, key.name, key.role, status, " ".join(prefixes), " ".join(key.models) or "all", *times)


def _day(at: float | None, otherwise: str) -> str:
    return otherwise if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
