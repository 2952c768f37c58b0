"""Who used what, and what it cost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from gevent import spawn_later

from schemas.outcome import Outcome
from schemas.spend import PICO, Spend, UsageColumn
from schemas.usage import Usage
from services import usage_ledger
from services.usage_ledger import Period, UsageLedger, total
from services.usage_period import period_of
from services.usage_table import as_csv, as_text, told
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import chat_request
from tests.unit.services.store_fake import DictRecords

NOON = datetime(2026, 11, 26, 12, 30, tzinfo=UTC).timestamp()
EVER = Period(0, NOON * 2)


def outcome(**fields: Any) -> Outcome:
    usual: dict[str, Any] = {
        "model": "asked",
        "stream": False,
        "provider": "openai",
        "upstream_model": "gpt-5.5",
        "billed_model": "gpt-5.5",
        "caller": "a",
        "usage": Usage(uncached=10, read=5, output=3, reasoning=1),
        "cost": 0.0000028,
        "finish_reason": "stop",
    }
    return Outcome(**{**usual, **fields})


class Book:
    """A ledger at half past twelve; another one on the same records is another worker."""

    def __init__(self, records: DictRecords | None = None, days: int = 400) -> None:
        self.clock = FakeClock(NOON)
        self.records = records or DictRecords()
        self.ledger = UsageLedger(self.records, self.clock, days)

    def rows(self, *by: UsageColumn, period: Period = EVER, key: str | None = None) -> list[tuple[Any, ...]]:
        rows = self.ledger.report(period, by, key)
        return [(*row.group.values(), row.spend.requests, row.spend.cost / PICO) for row in rows]


def test_answers_are_summed_up_to_the_last_digit() -> None:
    book = Book()
    for _ in range(1000):
        book.ledger.note(outcome())
    (row,) = book.ledger.report(EVER, ("model",))
    assert told(row) == {
        "model": "gpt-5.5",
        "requests": 1000,
        "failures": 0,
        "input_tokens": 15_000,
        "cached_tokens": 5000,
        "cache_write_tokens": 0,
        "output_tokens": 3000,
        "reasoning_tokens": 1000,
        "cost_usd": 0.0028,
        "notional_usd": 0.0,
        "unpriced_requests": 0,
        "estimated_requests": 0,
    }


def test_groups_are_what_is_asked_for_and_the_dearest_stands_first() -> None:
    book = Book()
    book.ledger.note(outcome(cost=0.1))
    book.ledger.note(outcome(cost=0.2, caller="b", provider="glm"))
    book.ledger.note(outcome(cost=0.3, caller="b", billed_model="glm-4.7"))
    assert book.rows("model") == [("gpt-5.5", 2, 0.3), ("glm-4.7", 1, 0.3)]
    assert book.rows("key") == [("b", 2, 0.5), ("a", 1, 0.1)]
    assert book.rows("provider", "key") == [("openai", "b", 1, 0.3), ("glm", "b", 1, 0.2), ("openai", "a", 1, 0.1)]
    assert book.rows("model", key="a") == [("gpt-5.5", 1, 0.1)]


def test_hours_and_days_come_in_the_order_of_time_and_a_period_holds_its_hours_only() -> None:
    book = Book()
    for _ in range(3):
        book.ledger.note(outcome(cost=1.0))
        book.clock.advance(3600)
    book.clock.advance(86_400)
    book.ledger.note(outcome(cost=5.0))
    assert book.rows("hour")[0] == ("2026-11-26T12", 1, 1.0)
    assert book.rows("day") == [("2026-11-26", 3, 3.0), ("2026-11-27", 1, 5.0)]
    assert book.rows("day", period=Period(NOON, NOON + 5400)) == [("2026-11-26", 2, 2.0)]


def test_sessions_are_kept_for_a_week_at_most() -> None:
    book = Book()
    book.ledger.note(outcome(cost=1.0), "s1")
    book.ledger.note(outcome(cost=2.0), "s2")
    book.ledger.note(outcome(cost=4.0))
    assert book.rows("session") == [("s2", 1, 2.0), ("s1", 1, 1.0)]
    book.clock.advance(7 * 86_400 + 3600)
    book.ledger.prune()
    assert book.rows("session") == []
    assert book.rows("model") == [("gpt-5.5", 3, 7.0)]


def test_a_long_report_lets_streams_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_ledger, "PAGE", 1)
    book, ran = Book(), list[str]()
    for model in ("m1", "m2", "m3"):
        book.ledger.note(outcome(billed_model=model))
    waiting = spawn_later(0, ran.append, "another")
    assert len(book.rows("model")) == 3
    assert ran == ["another"]
    waiting.kill()


def test_only_so_many_models_that_callers_may_have_made_up_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_ledger, "MAX_MODELS", 2)
    book = Book()
    for model in ("m1", "m2", "m3", "m4", "m1"):
        book.ledger.note(outcome(cost=1.0, billed_model=model))
    assert sorted(book.rows("model")) == [("m1", 2, 2.0), ("m2", 1, 1.0), ("other", 2, 2.0)]


def test_only_so_many_sessions_of_an_hour_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_ledger, "MAX_SESSIONS", 2)
    book = Book()
    for session in ("s1", "s2", "s3", "s4", "s1"):
        book.ledger.note(outcome(cost=1.0), session)
    assert sorted(book.rows("session")) == [("other", 2, 2.0), ("s1", 2, 2.0), ("s2", 1, 1.0)]
    book.clock.advance(3600)
    book.ledger.note(outcome(cost=1.0), "s9")
    assert ("s9", 1, 1.0) in book.rows("session")


def test_a_store_that_is_away_for_long_does_not_fill_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_ledger, "MAX_WAITING", 5)
    book = Book()
    book.records.away = True
    for number in range(50):
        book.ledger.note(outcome(cost=1.0), f"s{number}")
        book.ledger.sync()
    assert len(book.ledger._news) < 8
    book.records.away = False
    assert book.rows("model") == [("gpt-5.5", 50, 50.0)], "the sums are kept to the last cent"
    assert sum(cost for _, _, cost in book.rows("session")) == 50.0


def test_a_first_question_without_a_name_is_no_session() -> None:
    book = Book()
    book.ledger.finished(chat_request(session="made of its text"), outcome(cost=1.0), "req-1")
    assert book.rows("session") == []
    assert book.rows("model") == [("gpt-5.5", 1, 1.0)]


def test_what_is_older_than_is_kept_is_given_up_in_batches() -> None:
    book = Book(days=1)
    book.records.kinds["usage"] = {f"2026-11-2{n % 5}T00|k{n}|p|m": {"requests": 1} for n in range(2500)}
    book.ledger.note(outcome())
    book.ledger.prune()
    assert book.rows("day") == [("2026-11-26", 1, 0.0000028)]


def test_workers_add_to_the_same_rows_and_nothing_is_lost_while_the_store_is_away() -> None:
    one = Book()
    two = Book(one.records)
    one.ledger.note(outcome(cost=0.1))
    two.ledger.note(outcome(cost=0.2))
    one.records.away = True
    one.ledger.sync()
    two.ledger.sync()
    one.records.away = False
    two.ledger.sync()
    assert one.rows("model") == [("gpt-5.5", 2, pytest.approx(0.3))]


def test_money_that_nobody_pays_unknown_prices_and_estimates_are_told_apart() -> None:
    book = Book()
    book.ledger.note(outcome(cost=0.5, notional=True))
    book.ledger.note(outcome(cost=None))
    book.ledger.note(outcome(cost=0.25, usage=Usage(uncached=1, output=1, source="estimated")))
    book.ledger.note(outcome(cost=None, usage=None, finish_reason=None, error="upstream_timeout"))
    spend = total(book.ledger.report(EVER, ("model",)))
    assert (spend.cost, spend.notional) == (PICO // 4, PICO // 2)
    assert (spend.requests, spend.unpriced, spend.estimated, spend.failures) == (4, 1, 1, 1)


def test_what_was_asked_of_no_provider_is_no_usage() -> None:
    book = Book()
    book.ledger.note(Outcome("m", stream=False, error="model_not_found"))
    assert book.rows("model") == []


def test_a_name_with_the_separator_is_one_name() -> None:
    book = Book()
    book.ledger.note(outcome(caller="a|b"), "x|y")
    assert book.rows("key", "session") == [("a/b", "x/y", 1, 0.0000028)]


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        (None, None, (-12.5, 0)),
        ("2026-11-25", None, (-36.5, 0)),
        ("2026-11-25", "2026-11-25", (-36.5, -12.5)),
        ("24h", "2h", (-24, -2)),
        ("2d", None, (-48, 0)),
        ("2026-11-26T10:00", "2026-11-26T11:00+01:00", (-2.5, -2.5)),
    ],
)
def test_periods_are_written_as_people_do(since: str | None, until: str | None, hours: tuple[float, float]) -> None:
    period = period_of(since, until, NOON)
    assert ((period.since - NOON) / 3600, (period.until - NOON) / 3600) == hours


@pytest.mark.parametrize(("since", "until"), [("yesterday", None), ("0d", None), ("1h", "2h"), (None, "9" * 30)])
def test_what_is_no_time_is_told(since: str | None, until: str | None) -> None:
    with pytest.raises(ValueError, match=r"no time|ahead"):
        period_of(since, until, NOON)


@pytest.mark.parametrize(("since", "until"), [("0001-01-01T00:00+14:00", None), (None, "9999-12-31")])
def test_times_that_nobody_can_write_are_as_early_or_late_as_there_is_anything(
    since: str | None, until: str | None
) -> None:
    period = period_of(since, until, NOON)
    assert period.since <= NOON <= period.until <= NOON + 86_400
    assert UsageLedger(DictRecords(), FakeClock(), 400).report(period, ("model",)) == []


def test_csv_has_a_line_of_names_and_no_formulas() -> None:
    book = Book()
    book.ledger.note(outcome(billed_model='=cmd|" /C calc"', cost=0.0000028))
    lines = as_csv(("model",), book.ledger.report(EVER, ("model",))).splitlines()
    assert lines[0].startswith("model,requests,failures,input_tokens")
    assert lines[1].startswith("\"'=cmd/")
    assert ",0.0000028," in lines[1]


def test_a_terminal_gets_columns_a_total_and_what_is_not_in_it() -> None:
    book = Book()
    book.ledger.note(outcome(cost=1.5))
    book.ledger.note(outcome(billed_model="glm-4.7", cost=0.5, notional=True))
    rows = book.ledger.report(EVER, ("model",))
    assert as_text(("model",), rows, total(rows)).splitlines() == [
        "model    requests  failed  input  cached  output  USD",
        "gpt-5.5         1       0     15       5       3  1.5",
        "glm-4.7         1       0     15       5       3    0",
        "total           2       0     30      10       6  1.5",
        "",
        "Besides, $0.5 that nobody pays by the answer (flat fees).",
    ]


def test_sums_survive_the_store() -> None:
    spend = Spend(requests=3, cost=10**19, output=7)
    assert Spend.of(spend.record()) == spend
