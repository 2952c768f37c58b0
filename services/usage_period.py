"""Stretches of time as people write them."""

import re
from datetime import UTC, datetime, timedelta

from services.usage_ledger import Period

AGO = re.compile(r"([1-9][0-9]{0,4})([hd])", re.ASCII)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}


def period_of(since: str | None, until: str | None, now: float) -> Period:
    """From `since`, the beginning of this day by itself, to `until`, now by itself; whole hours, in UTC.

    Each is a day (2026-11-26), a time (2026-11-26T09:00Z), or so long ago (24h, 7d). A day as `until` ends with it.
    Raises ValueError with a sentence.
    """
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = today.timestamp() if since is None else _moment(since, now)
    end = now if until is None else _moment(until, now)
    if until is not None and len(until) == len("2026-11-26"):
        end += UNITS["d"].total_seconds()
    if end < begin:
        raise ValueError("the end is ahead of the beginning")
    # No row is older or newer, and times beyond these cannot be written.
    latest = now + UNITS["d"].total_seconds()
    return Period(min(max(begin, EARLIEST), latest), min(end, latest))


def _moment(text: str, now: float) -> float:
    ago = AGO.fullmatch(text)
    if ago is not None:
        return (datetime.fromtimestamp(now, UTC) - int(ago[1]) * UNITS[ago[2]]).timestamp()
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is no time: write 2026-11-26, 2026-11-26T09:00Z, 24h or 7d") from None
