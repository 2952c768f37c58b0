"""What the guard sees of a prompt's cache, and whom it tells."""

import gc
import tracemalloc
import weakref
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import FailoverSettings
from core.errors import StoreUnavailable
from core.metrics import Metrics
from core.prompt_cache.chain import chain_of
from core.prompt_cache.donors import donor_of
from core.prompt_cache.finding import Finding
from core.prompt_cache.prompt import Identity, Prompt
from core.prompt_cache.rules import RULES
from core.providers.base import UpstreamRequest
from core.store.embedded import EmbeddedStore
from core.store.memory import MemoryCounters
from schemas.chat import ChatRequest, Native
from schemas.codec import dumps
from schemas.model import ModelInfo, Price, Target
from schemas.usage import Usage
from services import cache_ledger
from services.cache_guard import Answered, CacheGuard
from services.cache_ledger import SESSION_SECONDS, CacheLedger
from services.failover import FailoverService
from services.telemetry import Telemetry
from services.write_watch import AT_ONCE, Writer, WriteWatch
from services.write_watch import MOST as WATCHED
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictRecords

OPUS = ModelInfo(
    "claude-opus-5-5",
    "anthropic",
    1_000_000,
    128_000,
    {"anthropic": "claude-opus-5-5"},
    abilities=frozenset({"prompt_cache"}),
    min_cacheable=512,
    prices=(Price(date(2026, 1, 1), 4.0, 0.2, 20.0, 5.0, 8.0),),
)
MARK = {"type": "ephemeral"}


def body(*turns: str) -> dict[str, Any]:
    """A conversation with a long system prompt, whose last turn is marked for the cache."""
    messages = [
        {"role": "assistant" if i % 2 else "user", "content": [{"type": "text", "text": text}]}
        for i, text in enumerate(turns)
    ]
    messages[-1]["content"][0]["cache_control"] = MARK
    return {"model": "claude-opus-5-5", "system": "S" * 240_000, "messages": messages}


class House:
    """A guard over a real embedded store."""

    def __init__(self, directory: Any) -> None:
        self.clock = FakeClock()
        self.store = EmbeddedStore(directory)
        self.metrics = Metrics()
        telemetry = Telemetry(self.metrics, [OPUS.id])
        settings = FailoverSettings(enabled=True, loss_threshold=0.25)
        records, counters = self.store.records, self.store.counters
        self.failover = FailoverService(records, counters, settings, telemetry, self.clock)
        self.ledger = CacheLedger(records, self.clock)
        self.writes = WriteWatch(counters, self.clock)
        self.guard = CacheGuard(counters, self.ledger, self.failover, self.writes, telemetry, self.clock)

    def answer(self, sent: dict[str, Any], usage: Usage | None, account: str = "key-1", **changes: Any) -> Finding:
        request = ChatRequest(OPUS.id, (), Native("anthropic_messages", sent), session="s")
        upstream = UpstreamRequest("http://x", {}, dumps(sent), sent=sent, form="anthropic_messages")
        target = Target("anthropic", OPUS.id, OPUS)
        now = self.clock.now()
        self.clock.advance(10)
        answered = Answered(
            request, OPUS.id, OPUS.id, "t", upstream, target, "anthropic", account, account, now, now + 1, usage
        )
        finding = self.guard.look(replace(answered, **changes))
        assert finding is not None
        return finding


@pytest.fixture
def house(tmp_path: Any) -> Any:
    house = House(tmp_path)
    yield house
    house.store.close()


FIRST = Usage(uncached=200, read=0, write_short=60_000, output=10)
MISSED = Usage(uncached=200, read=0, write_short=60_500, output=10)
READ = Usage(uncached=200, read=60_000, write_short=500, output=10)


def test_a_conversation_that_reads_what_it_wrote_is_a_saving(house: House) -> None:
    assert house.answer(body("a"), FIRST).cause == "cold"
    finding = house.answer(body("a", "b", "c"), READ)
    assert (finding.cause, finding.lost) == ("hit", 0)
    assert finding.saved_usd is not None
    assert finding.saved_usd > 0


def test_a_cache_that_the_provider_lost_is_counted_priced_and_moves_the_model(house: House) -> None:
    house.answer(body("a"), FIRST)
    finding = house.answer(body("a", "b", "c"), MISSED)
    assert (finding.cause, finding.lost, finding.provider_fault) == ("evicted", 60_000, True)
    assert finding.lost_usd == pytest.approx(0.288)
    labels = {"provider": "anthropic", "model": OPUS.id, "cause": "evicted"}
    value = house.metrics._registry.get_sample_value("glm_prompt_cache_loss_usd_total", labels)
    assert value == pytest.approx(0.288)
    assert house.failover.is_active(OPUS.id)


def test_the_providers_own_word_for_a_miss_goes_before_ours(house: House) -> None:
    asked = {"diagnostics": {"previous_message_id": "msg_1"}}
    house.answer(body("a"), FIRST)
    told = {"diagnostics": {"cache_miss_reason": {"type": "system_changed"}}}
    finding = house.answer({**body("a", "b", "c"), **asked}, MISSED, diagnostics=told)
    assert (finding.cause, finding.provider_fault) == ("mutated_by_gateway", False)
    finding = house.answer({**body("a", "b", "c", "d", "e"), **asked}, MISSED, diagnostics={"diagnostics": None})
    assert finding.cause == "evicted", "null says that nothing has changed"


def test_a_rotated_key_is_the_gateways_own_fault_and_moves_nothing(house: House) -> None:
    house.answer(body("a"), FIRST)
    finding = house.answer(body("a", "b", "c"), MISSED, account="key-2")
    assert (finding.cause, finding.provider_fault) == ("rotated", False)
    assert not house.failover.is_active(OPUS.id)


def test_marks_that_are_ignored_without_a_word_count_cold_too(house: House) -> None:
    finding = house.answer(body("a"), Usage(uncached=80_000, read=0, write_short=0, output=10))
    assert finding.cause == "ignored"
    assert finding.lost_usd == pytest.approx(80_000 * 3.8 / 1e6)
    assert house.failover.is_active(OPUS.id)


def test_marks_that_are_ignored_on_another_key_count_too(house: House) -> None:
    house.answer(body("a"), FIRST)
    nothing = Usage(uncached=80_000, read=0, write_short=0, output=10)
    assert house.answer(body("a", "b", "c"), nothing, account="key-2").cause == "ignored"
    assert house.failover.is_active(OPUS.id)


def test_what_nobody_pays_for_is_told_and_moves_nothing(house: House) -> None:
    house.answer(body("a"), FIRST, notional=True)
    finding = house.answer(body("a", "b", "c"), MISSED, notional=True)
    assert (finding.cause, finding.notional) == ("evicted", True)
    assert not house.failover.is_active(OPUS.id)


def test_a_loss_is_that_of_the_model_that_answered(house: House) -> None:
    house.answer(body("a"), FIRST, model="my-opus")
    house.answer(body("a", "b", "c"), MISSED, model="my-opus")
    assert house.failover.is_active(OPUS.id)
    assert not house.failover.is_active("my-opus")


def test_what_is_not_reported_is_no_loss(house: House) -> None:
    house.answer(body("a"), FIRST)
    assert house.answer(body("a", "b", "c"), Usage(uncached=60_700, output=10)).cause == "unreported"
    assert house.answer(body("a", "b", "c"), None).cause == "unreported"
    assert not house.failover.is_active(OPUS.id)


def test_losses_of_the_one_who_stands_in_move_nothing(house: House) -> None:
    house.answer(body("a"), FIRST, kind="glm-anthropic")
    house.answer(body("a", "b", "c"), Usage(uncached=60_700, read=0, output=10), kind="glm-anthropic")
    assert not house.failover.is_active(OPUS.id)


def test_a_prompt_that_is_far_too_large_is_not_looked_at(house: House) -> None:
    sent = body("a")
    upstream = UpstreamRequest("http://x", {}, b"x" * (9 * 1024 * 1024), sent=sent, form="anthropic_messages")
    request = ChatRequest(OPUS.id, (), Native("anthropic_messages", sent))
    target = Target("anthropic", OPUS.id, OPUS)
    answered = Answered(request, OPUS.id, OPUS.id, "t", upstream, target, "anthropic", "k", "k", 0.0, 1.0, FIRST)
    assert house.guard.look(answered) is None
    upstream.forget_body()
    assert house.guard.look(answered) is None, "nor when its bytes are gone by then, as they are once answered"


def test_sums_are_kept_for_each_key_and_each_session(house: House) -> None:
    house.answer(body("a"), FIRST)
    house.answer(body("a", "b", "c"), READ)
    house.answer(body("a", "b", "c", "d", "e"), MISSED)
    report = house.ledger.report()
    (by_key,), (by_session,) = report.by_key, report.by_session
    assert (by_key.provider, by_key.model, by_key.credential) == ("anthropic", OPUS.id, "key-1")
    assert by_session.session == "s"
    assert by_key.causes == {"cold": 1, "hit": 1, "evicted": 1}
    assert by_key.hit_ratio == pytest.approx(60_000 / (60_200 + 60_700 + 60_700))
    assert by_session.causes == {"hit": 1, "evicted": 1}, "nobody had named it when it began"
    assert by_session.hit_ratio == pytest.approx(60_000 / (60_700 + 60_700))
    for row in (by_key, by_session):
        assert row.answers == sum(row.causes.values())
        assert row.lost_usd == pytest.approx(row.losses["evicted"])
    house.answer(body("a"), FIRST)
    assert house.ledger.report().by_key[0].answers == 4


def test_rows_of_sessions_are_given_up_after_a_day(house: House) -> None:
    house.answer(body("a"), FIRST)
    assert not house.ledger.report().by_session, "of those who ask once there is no end"
    house.answer(body("a", "b", "c"), READ)
    assert len(house.ledger.report().by_session) == 1
    house.clock.advance(SESSION_SECONDS + 20)
    house.ledger.prune()
    report = house.ledger.report()
    assert (len(report.by_key), len(report.by_session)) == (1, 0)


def waste(house: House) -> tuple[int, float]:
    """Tokens and dollars that the report calls wasted."""
    rows = house.ledger.report().by_key
    return sum(row.wasted_tokens for row in rows), sum(row.wasted_usd for row in rows)


def test_what_was_written_and_never_read_is_waste_once_its_time_is_over(house: House) -> None:
    house.answer(body("a"), FIRST)
    house.clock.advance(340)
    house.guard.look_at_writes()
    assert waste(house) == (0, 0.0), "a request may be on its way"
    house.clock.advance(20)
    house.guard.look_at_writes()
    house.guard.look_at_writes()
    assert waste(house) == (60_000, pytest.approx(60_000 * (5.0 - 4.0) / 1e6))
    labels = {"provider": "anthropic", "model": OPUS.id}
    assert house.metrics._registry.get_sample_value("glm_prompt_cache_waste_usd_total", labels) == pytest.approx(0.06)
    assert not house.failover.is_active(OPUS.id)
    (row,) = house.ledger.report().by_key
    assert row.answers == 1


def test_what_was_read_on_any_worker_is_no_waste_and_what_came_after_it_may_be(house: House) -> None:
    house.answer(body("a"), FIRST)
    other = CacheGuard(
        house.store.counters,
        house.ledger,
        house.failover,
        WriteWatch(house.store.counters, house.clock),
        Telemetry(house.metrics, [OPUS.id]),
        house.clock,
    )
    house.guard, first = other, house.guard
    house.answer(body("a", "b", "c"), READ)
    house.guard = first
    house.clock.advance(400)
    house.guard.look_at_writes()
    assert waste(house) == (0, 0.0)


def test_while_the_store_is_away_nothing_is_called_waste(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.answer(body("a"), FIRST)
    house.clock.advance(400)

    def away(*_: Any) -> Any:
        raise StoreUnavailable("away")

    monkeypatch.setattr(house.store.counters, "kept", away)
    house.guard.look_at_writes()
    monkeypatch.undo()
    assert waste(house) == (0, 0.0)
    house.guard.look_at_writes()
    assert waste(house)[0] == 60_000


# What is told of it


def metric(house: House, name: str, **labels: str) -> float:
    """The value of a counter for the model; 0 where there is none."""
    return house.metrics._registry.get_sample_value(name, {"provider": "anthropic", "model": OPUS.id, **labels}) or 0.0


def total(house: House) -> dict[str, Any]:
    return house.ledger.report().total.model_dump()


def test_an_expired_cache_is_no_loss_and_what_it_has_cost_is_told(house: House) -> None:
    house.answer(body("a"), FIRST)
    house.clock.advance(600)
    with capture_logs() as logs:
        finding = house.answer(body("a", "b", "c"), MISSED)
    cost = 60_000 * (5.0 - 0.2) / 1e6
    assert (finding.cause, finding.lost, finding.missed) == ("expired", 0, 60_000)
    assert metric(house, "glm_prompt_cache_missed_usd_total", cause="expired") == pytest.approx(cost)
    told = total(house)
    assert (told["missed_tokens"], told["lost_usd"]) == (60_000, 0.0)
    assert told["missed_usd"] == pytest.approx(cost)
    assert told["missed"] == {"expired": pytest.approx(cost)}
    (event,) = [one for one in logs if one["event"] == "prompt_cache_missed"]
    assert (event["cause"], event["missed"], event["missed_usd"]) == ("expired", 60_000, pytest.approx(cost))
    assert not house.failover.is_active(OPUS.id)


def test_writing_that_costs_more_than_reading_saves_is_told_as_what_it_is(house: House) -> None:
    house.answer(body("a"), FIRST)
    fee = 60_000 * (5.0 - 4.0) / 1e6
    assert metric(house, "glm_prompt_cache_saving_usd_total") == 0
    assert metric(house, "glm_prompt_cache_fee_usd_total") == pytest.approx(fee)
    assert total(house)["saved_usd"] == pytest.approx(-fee)
    house.answer(body("a", "b", "c"), READ)
    fee += 500 * (5.0 - 4.0) / 1e6
    gain = 60_000 * (4.0 - 0.2) / 1e6
    assert metric(house, "glm_prompt_cache_saving_usd_total") == pytest.approx(gain)
    assert metric(house, "glm_prompt_cache_fee_usd_total") == pytest.approx(fee)
    assert (total(house)["fee_usd"], total(house)["saved_usd"]) == (pytest.approx(fee), pytest.approx(gain - fee))


def test_a_cache_that_costs_more_to_read_than_input_counts_as_a_fee(house: House) -> None:
    dear = replace(OPUS, prices=(Price(date(2026, 1, 1), 1.0, 2.0, 20.0, 1.0, 1.0),))
    house.answer(body("a"), READ, target=Target("anthropic", OPUS.id, dear))
    assert metric(house, "glm_prompt_cache_saving_usd_total") == 0
    assert metric(house, "glm_prompt_cache_fee_usd_total") == pytest.approx(0.06)


def test_dollars_that_nobody_pays_stand_apart(house: House) -> None:
    house.answer(body("a"), FIRST, notional=True)
    house.answer(body("a", "b", "c"), MISSED, notional=True)
    house.answer(body("a", "b", "c", "d", "e"), READ, notional=True)
    house.clock.advance(600)
    house.answer(body("a", "b", "c", "d", "e", "f", "g"), MISSED, notional=True)
    house.guard.look_at_writes()
    for name, labels in (
        ("loss", {"cause": "evicted"}), ("missed", {"cause": "expired"}), ("saving", {}), ("fee", {}), ("waste", {}),
    ):  # fmt: skip
        assert metric(house, f"glm_prompt_cache_{name}_usd_total", **labels) == 0, name
    told, kinds = total(house), ("loss", "missed", "saving", "fee", "waste")
    notional = {kind: metric(house, "glm_prompt_cache_notional_usd_total", kind=kind) for kind in kinds}
    assert all(notional.values())
    assert told["notional"] == {kind: pytest.approx(value) for kind, value in notional.items()}
    assert told["notional_usd"] == told["lost_usd"] == pytest.approx(notional["loss"])
    assert metric(house, "glm_prompt_cache_findings_total", cause="evicted") == 1


# What is kept of it


class Body(dict[str, Any]):
    """A body of which it can be seen whether anybody still has it."""


def test_waiting_for_a_cache_to_be_read_keeps_no_request_alive(house: House) -> None:
    sent = Body(body("a"))
    seen = weakref.ref(sent)
    house.answer(sent, FIRST)
    del sent
    gc.collect()
    assert seen() is None
    house.clock.advance(400)
    house.guard.look_at_writes()
    assert waste(house)[0] == 60_000, "and yet it is told of"


def test_many_writes_take_bounded_room() -> None:
    watch, clock = WriteWatch(MemoryCounters(), FakeClock()), FakeClock()
    tracemalloc.start()
    for number in range(WATCHED + AT_ONCE):
        chain = chain_of({**body(f"{number}"), "system": "Be kind."}, "anthropic_messages")
        sent = Prompt(Identity("t", OPUS.id, "anthropic", "key-1", OPUS.id), chain, chain, clock.now())
        donor = donor_of(sent, clock.now(), FIRST, RULES["anthropic"])
        assert donor is not None
        watch.wrote(donor, OPUS.prices[0], Writer("anthropic", OPUS.id, OPUS.id, OPUS.id, "key", "s"), notional=False)
    room, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(watch) == WATCHED
    assert room / WATCHED < 1_000


def test_a_store_that_is_away_for_long_does_not_fill_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_ledger, "MAX_WAITING", 5)
    records, clock = DictRecords(), FakeClock()
    ledger = CacheLedger(records, clock)
    records.away = True
    for number in range(50):
        ledger.note("anthropic", "m", "k", f"s{number}", Finding("cold"), None)
        ledger.sync()
    assert len(ledger._news) <= 5
    records.away = False
    report = ledger.report()
    assert [row.answers for row in report.by_key] == [50], "the sums of keys are kept"
    assert report.by_session[-1].session is not None


def test_names_that_callers_make_up_do_not_fill_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_ledger, "MAX_MODELS", 5)
    monkeypatch.setattr(cache_ledger, "MAX_KEYS", 8)
    records, clock = DictRecords(), FakeClock()
    ledger = CacheLedger(records, clock)
    for number in range(50):
        clock.advance(1)
        ledger.note("box", f"made-up-{number}", "k", None, Finding("cold"), None)
    rows = {row.model: row.answers for row in ledger.report().by_key}
    assert rows == {**{f"made-up-{number}": 1 for number in range(5)}, "other": 45}
    ledger.prune()
    for number in range(50, 100):
        clock.advance(1)
        ledger.note("box", f"made-up-{number}", "k", None, Finding("cold"), None)
    ledger.sync()
    ledger.prune()
    rows = {row.model: row.answers for row in ledger.report().by_key}
    assert len(rows) == 8
    assert rows["other"] == 90, "what is still in use stays"
