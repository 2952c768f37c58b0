"""KeyDesk: the words of the command line around callers' keys."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.clock import Clock
from schemas.key import KeyChange, KeyRotation, NewKey, StoredKey
from services.columns import columns
from services.key_book import KeyBook

DAY = 86_400
HEADINGS = ("id", "name", "role", "status", "begins with", "models", "expires", "last used")
LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_streams")
BUDGET = ("hourly", "daily")
W = TypeVar("W", bound=BaseModel)


class KeyDesk:
    """Every method returns what to print.

    Raises NotFound, Conflict and StoreUnavailable, and ValueError for a wrong wish. `by` is who gives the commands.
    """

    def __init__(self, book: KeyBook, clock: Clock, by: str) -> None:
        self._book = book
        self._clock = clock
        self._by = by

    def create(self, name: str, days: float | None, wanted: Mapping[str, Any]) -> str:
        """The new key, which expires after so many days; `wanted` is what else it is to be, flat, None for nothing."""
        new = _valid(NewKey, {"name": name, **_lifetime(days), **_nested(wanted)})
        key, secret = self._book.create(new, self._by)
        return f"{secret}\n\nThis is {key.name}'s key ({key.id}, {key.role}). It is shown this once."

    def change(self, key_id: str, days: float | None, wanted: Mapping[str, Any]) -> str:
        """What the key is now. It expires so many days from now, never with 0; a limit of 0 is no longer its own."""
        lifetime = {"expires_in": None} if days == 0 else _lifetime(days)
        key = self._book.update(key_id, _valid(KeyChange, {**lifetime, **_nested(wanted)}), self._by)
        told = [
            key.role,
            f"models {' '.join(key.models) or 'all'}",
            f"expires {_day(key.expires, 'never')}",
            *_own(key),
        ]
        return f"{key.name}'s key ({key.id}): {', '.join(told)}."

    def rotate(self, key_id: str, overlap: float) -> str:
        """The new secret; the old one works on for `overlap` seconds."""
        key, secret = self._book.rotate(key_id, KeyRotation(overlap=overlap), self._by)
        old = f"The old one works for {overlap / 3600:g} more hours." if overlap else "The old one is over."
        return f"{secret}\n\nThis is the new key of {key.name} ({key.id}). It is shown this once. {old}"

    def revoke(self, key_id: str) -> str:
        """That it is done."""
        key = self._book.revoke(key_id, self._by)
        return f"{key.name}'s key ({key.id}) is revoked."

    def listing(self) -> str:
        """A table, the newest first."""
        keys = self._book.all()
        if not keys:
            return "No keys have been made. Those of GATEWAY_API_KEYS and the configuration are not listed here.\n"
        return "\n".join(columns([HEADINGS, *map(self._row, keys)])) + "\n"

    def _row(self, key: StoredKey) -> tuple[str, ...]:
        now = self._clock.now()
        prefixes = [one.prefix + "…" for one in key.secrets if one.until is None or one.until > now]
        times = (_day(key.expires, "never"), _day(key.last_used, "never"))
        status = key.status(now)
        return (key.id, key.name, key.role, status, " ".join(prefixes), " ".join(key.models) or "all", *times)


def _valid(kind: type[W], wanted: Mapping[str, Any]) -> W:
    try:
        return kind.model_validate(wanted)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ValueError(f"{problem['loc'][0]}: {problem['msg']}") from None


def _lifetime(days: float | None) -> dict[str, float]:
    return {} if days is None else {"expires_in": days * DAY}


def _nested(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a wish that are given, those of limits and budget in their groups; 0 there means none."""
    given = {name: value for name, value in wanted.items() if value not in (None, ())}
    fields = {name: value for name, value in given.items() if name not in (*LIMITS, *BUDGET)}
    for group, names in (("limits", LIMITS), ("budget", BUDGET)):
        asked = {name: given[name] or None for name in names if name in given}
        if asked:
            fields[group] = asked
    return fields


def _own(key: StoredKey) -> list[str]:
    """What the key may do in the place of what any key may."""
    limits, budget = key.limits.model_dump(exclude_none=True), key.budget.model_dump(exclude_none=True)
    counts = [f"{limit:,} {name.replace('_', ' ')}" for name, limit in limits.items()]
    return counts + [f"{dollars:g} USD {window}" for window, dollars in budget.items()]


def _day(at: float | None, otherwise: str) -> str:
    return otherwise if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
