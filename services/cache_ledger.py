"""CacheLedger: sums what prompt caches have saved and lost, over all workers."""

from collections.abc import Mapping
from functools import partial, reduce
from typing import TypeVar

from core.clock import Clock
from core.errors import StoreUnavailable
from core.prompt_cache.finding import Finding, notional_usd
from core.store.base import Record, Records
from schemas.cache import CacheReport, CacheRow
from schemas.usage import Usage

N = TypeVar("N", int, float)
KIND = "cache"
SESSION_SECONDS = 86_400.0
ANYBODY: Mapping[str, None] = dict.fromkeys(("provider", "model", "credential", "session"))
MAX_SESSIONS = 1000
"""Rows of sessions beyond this, or older than a day, are given up, the oldest first."""
MAX_KEYS = 2000
"""Rows of keys and models beyond this are given up, those that were seen last the longest ago first."""
MAX_MODELS = 500
OTHER = "other"
"""Stands for all models of a worker beyond so many between two prunings: callers may make up their names."""

MAX_WAITING = 5000
"""Rows that wait for the store."""


class CacheLedger:
    """Counts in this worker and adds to the shared rows with `sync`; a row that cannot be shared waits."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._news: dict[str, CacheRow] = {}
        self._models: set[str] = set()

    def note(
        self, provider: str, model: str, credential: str, session: str | None, finding: Finding, usage: Usage | None
    ) -> None:
        """Count one answer's finding in, for its key and its session."""
        row, model = _row(finding, usage, self._clock.now()), self._name(model)
        self._add(
            f"key|{provider}|{model}|{credential}",
            row.model_copy(update={"provider": provider, "model": model, "credential": credential}),
        )
        if session is not None:
            self._add(f"session|{session}", row.model_copy(update={"session": session, "model": model}))

    def note_waste(self, provider: str, model: str, credential: str, finding: Finding) -> None:
        """Count in what was written for a key and never read; the answer itself was counted when it was given."""
        model = self._name(model)
        row = CacheRow(
            provider=provider,
            model=model,
            credential=credential,
            wasted_tokens=finding.missed,
            wasted_usd=finding.missed_usd or 0.0,
            notional=notional_usd(finding),
            last_seen=self._clock.now(),
        )
        self._add(f"key|{provider}|{model}|{credential}", row)

    def sync(self) -> None:
        """Add this worker's news to the shared rows: every few seconds."""
        news, self._news = self._news, {}
        for name, row in news.items():
            try:
                self._records.change(KIND, name, partial(_added, row))
            except StoreUnavailable:
                self._add(name, row)

    def prune(self) -> None:
        """Give up rows that nobody will ask for: every few minutes, on any worker."""
        self._models.clear()
        try:
            seen = {name: float(row["last_seen"]) for name, row in self._records.all(KIND).items()}
            for name in _given_up(seen, self._clock.now()):
                self._records.delete(KIND, name)
        except StoreUnavailable:
            return

    def report(self) -> CacheReport:
        """All rows as all workers know them, this worker's own news included."""
        self.sync()
        try:
            found = self._records.all(KIND)
        except StoreUnavailable:
            found = {}
        rows = {name: CacheRow(**row) for name, row in found.items()}
        for name, row in self._news.items():
            rows[name] = _sum(row, rows[name]) if name in rows else row
        ordered = sorted(rows.values(), key=lambda row: (row.lost_usd, row.saved_usd), reverse=True)
        by_key = [row for row in ordered if row.session is None]
        return CacheReport(
            total=reduce(_sum, by_key, CacheRow()).model_copy(update=ANYBODY),
            by_key=by_key,
            by_session=[row for row in ordered if row.session is not None],
        )

    def _name(self, model: str) -> str:
        if model not in self._models and len(self._models) >= MAX_MODELS:
            return OTHER
        self._models.add(model)
        return model

    def _add(self, name: str, row: CacheRow) -> None:
        known = self._news.pop(name, None)
        self._news[name] = row if known is None else _sum(row, known)
        if len(self._news) > MAX_WAITING:
            # Only while the store is away for long; the sums of keys, of which there are few, are kept.
            del self._news[next((one for one in self._news if one.startswith("session|")), name)]


def _given_up(seen: Mapping[str, float], now: float) -> list[str]:
    """The names of the rows to give up, of all by when each was seen last."""
    newest = sorted(seen, key=lambda name: seen[name], reverse=True)
    sessions = [name for name in newest if name.startswith("session|")]
    keys = [name for name in newest if not name.startswith("session|")]
    old = [name for name in sessions[:MAX_SESSIONS] if seen[name] < now - SESSION_SECONDS]
    return [*old, *sessions[MAX_SESSIONS:], *keys[MAX_KEYS:]]


def _row(finding: Finding, usage: Usage | None, now: float) -> CacheRow:
    lost, missed = finding.lost_usd or 0.0, finding.missed_usd or 0.0
    return CacheRow(
        answers=1,
        prompt_tokens=usage.prompt if usage is not None and finding.read is not None else 0,
        read_tokens=finding.read or 0,
        lost_tokens=finding.lost,
        missed_tokens=finding.missed,
        saved_usd=finding.saved_usd or 0.0,
        fee_usd=finding.fee_usd or 0.0,
        lost_usd=lost,
        missed_usd=missed,
        notional_usd=lost if finding.notional else 0.0,
        causes={finding.cause: 1},
        losses={finding.cause: lost} if lost else {},
        missed={finding.cause: missed} if missed else {},
        notional=notional_usd(finding),
        last_seen=now,
    )


def _added(row: CacheRow, known: Record | None) -> Record:
    return (row if known is None else _sum(row, CacheRow(**known))).model_dump(mode="json")


def _sum(one: CacheRow, other: CacheRow) -> CacheRow:
    return CacheRow(
        provider=one.provider,
        model=one.model,
        credential=one.credential,
        session=one.session,
        answers=one.answers + other.answers,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        read_tokens=one.read_tokens + other.read_tokens,
        lost_tokens=one.lost_tokens + other.lost_tokens,
        missed_tokens=one.missed_tokens + other.missed_tokens,
        saved_usd=one.saved_usd + other.saved_usd,
        fee_usd=one.fee_usd + other.fee_usd,
        lost_usd=one.lost_usd + other.lost_usd,
        missed_usd=one.missed_usd + other.missed_usd,
        notional_usd=one.notional_usd + other.notional_usd,
        wasted_tokens=one.wasted_tokens + other.wasted_tokens,
        wasted_usd=one.wasted_usd + other.wasted_usd,
        causes=_both(one.causes, other.causes),
        losses=_both(one.losses, other.losses),
        missed=_both(one.missed, other.missed),
        notional=_both(one.notional, other.notional),
        last_seen=max(one.last_seen, other.last_seen),
    )


def _both(one: Mapping[str, N], other: Mapping[str, N]) -> dict[str, N]:
    sums = dict(one)
    for name, value in other.items():
        sums[name] = sums[name] + value if name in sums else value
    return sums
