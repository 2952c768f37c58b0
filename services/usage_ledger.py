"""UsageLedger: who used what, and what it cost, by the hour, over all workers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from gevent import sleep

from core.clock import Clock
from core.errors import StoreUnavailable
from core.store.base import Record, Records, Span
from schemas.chat import ChatRequest
from schemas.outcome import Outcome
from schemas.spend import PICO, Spend, SpendRow, UsageColumn
from services.interceptors import Interceptor
from services.sessions import is_followed

KIND = "usage"
SESSIONS = "usage.sessions"
SESSION_DAYS = 7
DAY_SECONDS = 86_400.0
MAX_SESSIONS = 5000
MAX_MODELS = 1000
"""Sessions, and models, of an hour that each worker keeps apart; all others are one. A caller may make up names."""
MAX_WAITING = 20_000
"""While the store is away for long and so many rows wait, further sessions of an hour are one."""
OTHERS = "other"
PAGE = 500
BREATH = 0.001
PRUNED_AT_ONCE = 1000
SEPARATOR = "|"
ORDER: Mapping[str, tuple[UsageColumn, ...]] = {
    KIND: ("hour", "key", "provider", "model"),
    SESSIONS: ("hour", "session", "key", "provider", "model"),
}
"""What a row is known by; the time stands first, so that a stretch of time is a stretch of rows."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on and before `until`, in seconds since the epoch."""

    since: float
    until: float


class UsageLedger(Interceptor):
    """Counts in this worker and adds to the shared rows with `sync`; a row that cannot be shared waits."""

    def __init__(self, records: Records, clock: Clock, retention_days: int) -> None:
        self._records = records
        self._clock = clock
        self.keep(retention_days)
        self._news: dict[tuple[str, str], Spend] = {}
        self._known: dict[str, set[str]] = {}
        self._known_in = ""

    def keep(self, days: int) -> None:
        """Give up what is older than so many days."""
        self._days = {KIND: days, SESSIONS: min(SESSION_DAYS, days)}

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        """Count a chat in; what is not told from other first questions is no session of its own."""
        self.note(outcome, request.session if is_followed(request) else None)

    def note(self, outcome: Outcome, session: str | None = None) -> None:
        """Count an answer in; what was asked of no provider has cost nothing."""
        if outcome.provider is None or outcome.upstream_model is None:
            return
        hour, spend = _hour(self._clock.now()), _spend(outcome)
        whose = (
            _plain(outcome.caller or "anonymous"),
            outcome.provider,
            self._named(hour, "model", outcome.billed_model or outcome.upstream_model, MAX_MODELS),
        )
        self._add(KIND, SEPARATOR.join((hour, *whose)), spend)
        if session is not None:
            self._add(
                SESSIONS, SEPARATOR.join((hour, self._named(hour, "session", session, MAX_SESSIONS), *whose)), spend
            )

    def sync(self) -> None:
        """Add this worker's news to the shared rows: every second."""
        news, self._news = self._news, {}
        for (kind, name), spend in news.items():
            try:
                self._records.change(kind, name, partial(_added, spend))
            except StoreUnavailable:
                self._add(kind, name, spend)

    def prune(self) -> None:
        """Give up what is older than is kept, a batch at a time: every few minutes."""
        for kind, days in self._days.items():
            oldest = _hour(self._clock.now() - days * DAY_SECONDS)
            try:
                while self._records.prune(kind, oldest, PRUNED_AT_ONCE) == PRUNED_AT_ONCE:
                    continue
            except StoreUnavailable:
                return

    def report(self, period: Period, by: Sequence[UsageColumn], key: str | None = None) -> list[SpendRow]:
        """The sums of each group, dearest first, or in the order of time where that is asked for; those of one caller
        when `key` is its id. Raises StoreUnavailable."""
        self.sync()
        sums: dict[tuple[str, ...], dict[str, int]] = {}
        kind = SESSIONS if "session" in by else KIND
        for columns, record in self._rows(kind, period):
            if key is None or columns["key"] == key:
                total = sums.setdefault(tuple(columns[column] for column in by), {})
                for name, value in record.items():
                    total[name] = total.get(name, 0) + value
        rows = [SpendRow(dict(zip(by, group, strict=True)), Spend.of(total)) for group, total in sums.items()]
        if "hour" in by or "day" in by:
            return sorted(rows, key=lambda row: tuple(row.group.values()))
        return sorted(rows, key=lambda row: (row.spend.cost, row.spend.notional, row.spend.requests), reverse=True)

    def _rows(self, kind: str, period: Period) -> Iterator[tuple[dict[UsageColumn, str], Record]]:
        after, until = _hour(period.since), _hour(period.until + 3599.999)
        while page := self._records.page(kind, Span(after=after, before=until, limit=PAGE)):
            for name, record in page:
                columns = dict(zip(ORDER[kind], name.split(SEPARATOR), strict=True))
                columns["day"] = columns["hour"][:10]
                yield columns, record
            after = page[-1][0]
            # A page takes milliseconds, a year of them seconds, and streams wait. Zero would not look at their sockets.
            sleep(BREATH)

    def _named(self, hour: str, kind: UsageColumn, name: str, most: int) -> str:
        """The name, or that of all beyond the number that is kept apart in an hour."""
        if self._known_in != hour:
            self._known, self._known_in = {}, hour
        known = self._known.setdefault(kind, set())
        if name not in known and len(known) >= most:
            return OTHERS
        known.add(name)
        return _plain(name)

    def _add(self, kind: str, name: str, spend: Spend) -> None:
        if kind == SESSIONS and len(self._news) >= MAX_WAITING and (kind, name) not in self._news:
            hour, _, rest = name.split(SEPARATOR, 2)
            name = SEPARATOR.join((hour, OTHERS, rest))
        self._news[kind, name] = self._news.get((kind, name), Spend()) + spend


def total(rows: Sequence[SpendRow]) -> Spend:
    """All of them together."""
    return sum((row.spend for row in rows), Spend())


def _spend(outcome: Outcome) -> Spend:
    usage, cost = outcome.usage, _pico(outcome.cost)
    tokens = {} if usage is None else {
        "uncached": usage.uncached or 0,
        "read": usage.read or 0,
        "write_short": usage.write_short or 0,
        "write_long": usage.write_long or 0,
        "output": usage.output or 0,
        "reasoning": usage.reasoning or 0,
    }  # fmt: skip
    return Spend(
        requests=1,
        failures=int(outcome.error is not None),
        cost=0 if outcome.notional else cost,
        notional=cost if outcome.notional else 0,
        unpriced=int(usage is not None and outcome.cost is None),
        estimated=int(usage is not None and usage.source == "estimated"),
        **tokens,
    )


def _pico(cost: float | None) -> int:
    return 0 if cost is None else round(Decimal(repr(cost)) * PICO)


def _added(spend: Spend, known: Record | None) -> Record:
    return (spend if known is None else spend + Spend.of(known)).record()


def _hour(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H")


def _plain(name: str) -> str:
    """A name that cannot be taken for two."""
    return name.replace(SEPARATOR, "/")
