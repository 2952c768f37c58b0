"""A chat request's stream owns what it took, and says what became of it."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest

from config.settings import (
    ContentFilterSettings,
    FailoverSettings,
    FilterPattern,
    PipelineSettings,
    ResponseCacheSettings,
)
from core.catalogue import Catalogue
from core.counting import TokenCounter
from core.errors import ClientGone, InvalidRequest, ModelNotFound, UpstreamBroken, UpstreamServerError, UpstreamTimeout
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.routing import Route
from core.store.memory import MemoryCounters
from schemas.chat import ChatRequest, DialectName, Native, Sampling
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.stream import (
    ChatChunk,
    Finished,
    KeepAlive,
    Passed,
    RawEvent,
    ReasoningDelta,
    Started,
    TextDelta,
)
from schemas.usage import Usage
from services.affinity import Affinity
from services.aftermath import Aftermath
from services.cache_guard import CacheGuard
from services.cache_ledger import CacheLedger
from services.chat import ChatService
from services.chat_stream import ChatStream
from services.closing import Closing
from services.failover import FailoverService
from services.interceptors import Interceptor
from services.landing import SoftLanding
from services.placement import Placement
from services.preparation import Preparation
from services.recollection import Recollection
from services.response_cache import ResponseCache
from services.routing import RoutingService
from services.telemetry import Telemetry
from services.write_watch import WriteWatch
from tests.unit.services import spending_kit
from tests.unit.services.chat_kit import (
    ANSWER,
    END,
    HELLO,
    INFO,
    USAGE,
    WORLD,
    FakeExchange,
    FakePool,
    FakeProvider,
    Script,
    Stage,
    chat_request,
)
from tests.unit.services.spending_kit import bare_spending
from tests.unit.services.store_fake import DictRecords

BROKEN = UpstreamServerError("no")


class Witness(Interceptor):
    """Keeps every outcome it is told of, and fails when asked to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.outcomes: list[Outcome] = []
        self.watched: list[ChatChunk] = []
        self._fails = fails

    def watch(
        self, request: ChatRequest, chunks: Iterator[ChatChunk], outcome: Outcome, request_id: str
    ) -> Iterator[ChatChunk]:
        for chunk in chunks:
            self.watched.append(chunk)
            yield chunk

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        assert request_id == "req-1"
        self.outcomes.append(outcome)
        if self._fails:
            raise RuntimeError("a bug in an interceptor")


@pytest.mark.parametrize(("dialect", "kept"), [("openai_chat", b'{"a": 1}'), ("anthropic_messages", b"")])
def test_the_bytes_of_a_body_are_kept_for_a_provider_that_may_forward_them(
    dialect: DialectName, kept: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProvider, "dialect", "openai_chat")
    native = Native(dialect, {"a": 1}, b'{"a": 1}')
    with closing(House(Script()).stream(native=native)):
        assert native.raw == kept
        assert native.size == 8, "which is known of those that are gone"


class TwoKeys(FakePool):
    """Is thought to have another key, so that there is a choice."""

    def __len__(self) -> int:
        return 2


class House:
    """A chat service in front of one scripted provider with one credential."""

    def __init__(
        self,
        *scripts: Script,
        pipeline: PipelineSettings | None = None,
        interceptors: tuple[Witness, ...] = (),
        money: spending_kit.House | None = None,
    ) -> None:
        self.stage = Stage(*scripts, pool=FakePool("one", "a"), max_attempts=2)
        self.clock = self.stage.clock
        self.witness = Witness()
        routing = RoutingService(Catalogue([INFO]), [Route("one", "fake")], lambda _: True)
        settings = pipeline or PipelineSettings()
        counters, records, telemetry = MemoryCounters(), DictRecords(), Telemetry(Metrics())
        affinity, ledger = Affinity(self.stage.recollection, self.clock), CacheLedger(records, self.clock)
        failover = FailoverService(records, counters, FailoverSettings(), telemetry, self.clock)
        guard = CacheGuard(counters, ledger, failover, WriteWatch(counters, self.clock), telemetry, self.clock)
        spending = money.spending if money is not None else bare_spending(clock=self.clock)
        watchers = (*interceptors, self.witness)
        landing, placement = SoftLanding({}, routing, spending), Placement(routing, failover, affinity, frozenset())
        pipeline, thoughts = Pipeline(settings, TokenCounter()), self.stage.thoughts
        self.chat = ChatService(
            Preparation(landing, placement, self.stage.recollection, thoughts, pipeline),
            self.stage.dispatcher,
            pipeline,
            watchers,
            self.clock,
            thoughts,
            Aftermath(affinity, guard, routing, self.stage.sites),
            spending,
            ResponseCache(ResponseCacheSettings(), Recollection(counters, self.clock), ""),
            Closing(),
        )

    def stream(self, turn: Any = None, **fields: Any) -> ChatStream:
        return self.chat.stream(chat_request(**fields), Origin("req-1", self.clock.monotonic()), turn)

    @property
    def ends(self) -> list[str]:
        return self.stage.pool.ends

    def told(self) -> Outcome:
        """The outcome the interceptors were told of, once."""
        (outcome,) = self.witness.outcomes
        return outcome


# What comes out


def test_a_whole_answer_is_the_fold_of_its_stream() -> None:
    answer = House(Script()).stream().collect()
    assert (answer.text, answer.reason, answer.usage) == ("Hello world", "stop", USAGE)


def test_a_stream_yields_the_chunks_with_the_signs_of_life_among_them() -> None:
    house = House(Script([KeepAlive(), *ANSWER], signs=1))
    chunks = list(house.stream())
    assert chunks[:2] == [KeepAlive(), KeepAlive()]
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)) == "Hello world"
    assert isinstance(chunks[-1], Finished)
    assert house.witness.watched == chunks, "interceptors see what the client gets"


def test_nothing_is_asked_before_the_stream_is_read() -> None:
    house = House(Script())
    stream = house.stream()
    assert house.stage.transport.requests == []
    stream.close()


def test_an_unknown_model_is_refused_at_once() -> None:
    house = House()
    with pytest.raises(ModelNotFound):
        house.chat.stream(ChatRequest("nope", (), chat_request().native), Origin("req-1", 0))


def test_requests_do_not_know_of_each_other() -> None:
    house = House(Script([HELLO, END]), Script())
    one = house.stream()
    assert next(iter(one)) == HELLO
    assert house.stream().collect().text == "Hello world"
    one.close()
    assert [outcome.error for outcome in house.witness.outcomes] == [None, "client_closed_request"]


# The lease and the outcome


def test_success_gives_the_lease_back_with_usage_seconds_and_cost() -> None:
    house = House(Script(seconds=3))
    house.stream().collect()
    (lease,) = house.stage.pool.leases
    assert lease.ends == [("succeeded", USAGE, pytest.approx(3), pytest.approx(2.0))]


def test_the_outcome_of_a_success_has_every_fact() -> None:
    house = House(Script([BROKEN], seconds=1), Script(seconds=2))
    stream = house.stream(stream=True)
    assert stream.collect().text == "Hello world"
    outcome = house.told()
    assert outcome is stream.outcome
    assert (outcome.model, outcome.stream, outcome.provider, outcome.upstream_model) == ("m", True, "one", "m-up")
    assert outcome.credential == house.stage.pool.credentials[0].id
    assert [attempt.error for attempt in outcome.attempts] == ["upstream_server_error", None]
    assert (outcome.finish_reason, outcome.usage, outcome.error) == ("stop", USAGE, None)
    assert outcome.dropped == ("seed",)
    assert outcome.cost == pytest.approx(2.0)
    assert (outcome.time_to_first_token, outcome.upstream_seconds, outcome.seconds) == pytest.approx((3, 3, 3))


def test_a_cost_is_that_of_the_day_on_the_clock() -> None:
    house = House(Script())
    house.clock.advance(5 * 365 * 86400)
    house.stream().collect()
    assert house.told().cost == pytest.approx(4.0)


def test_a_failure_gives_the_lease_back_as_failed_and_names_the_error() -> None:
    house = House(Script([HELLO, BROKEN]))
    with pytest.raises(UpstreamServerError):
        house.stream().collect()
    assert house.ends == ["failed"]
    assert house.told().error == "upstream_server_error"
    assert house.told().finish_reason is None


def test_when_nothing_answers_every_lease_is_back() -> None:
    house = House(Script([BROKEN]), Script([UpstreamTimeout("late")]))
    with pytest.raises(UpstreamTimeout):
        house.stream().collect()
    assert house.ends == ["failed", "failed"]
    assert (house.told().error, house.told().status) == ("upstream_timeout", 504)


def test_a_stream_that_was_never_read_takes_and_leaves_nothing() -> None:
    house = House(Script())
    stream = house.stream()
    stream.close()
    assert house.stage.pool.leases == []
    assert (house.told().error, house.told().status) == ("client_closed_request", 499)
    assert house.told().attempts == []


@pytest.mark.parametrize("read", [1, 2])
def test_a_client_that_leaves_gives_the_lease_back_as_abandoned(read: int) -> None:
    house = House(Script(signs=1))
    stream = house.stream()
    chunks = iter(stream)
    for _ in range(read):
        next(chunks)
    stream.close()
    assert house.ends == ["abandoned"]
    assert house.stage.all_closed()
    assert house.told().error == "client_closed_request"


@pytest.mark.parametrize("begins", [Passed(RawEvent(b"{}", "thinking", {}), begins=True), HELLO])
def test_a_client_that_leaves_an_answer_that_has_begun_pays_the_prompt_as_its_provider_told_it(begins: Any) -> None:
    told = Usage(uncached=3, read=40_000, write_short=7)
    house = House(Script([Started(told), begins, WORLD, END]))
    chunks = iter(stream := house.stream())
    next(chunks), next(chunks)
    stream.close()
    assert house.told().usage == replace(told, output=1, source="estimated")


def test_a_client_that_leaves_after_the_end_of_the_answer_had_a_success() -> None:
    house = House(Script())
    stream = house.stream()
    for chunk in stream:
        if isinstance(chunk, Finished):
            break
    stream.close()
    assert house.ends == ["succeeded"]
    assert house.told().error is None


def test_closing_twice_does_nothing_more() -> None:
    house = House(Script())
    stream = house.stream()
    stream.collect()
    stream.close()
    stream.close()
    assert house.ends == ["succeeded"]
    assert len(house.witness.outcomes) == 1


def test_a_conversation_belongs_where_it_was_answered_before_the_client_can_leave() -> None:
    house, pool = House(Script(), Script()), TwoKeys("one", "a")
    house.stage.sites["one"] = replace(house.stage.sites["one"], pool=pool)  # type: ignore[arg-type] # a fake
    named = Native("openai_chat", {"prompt_cache_key": "s"})
    stream = house.stream(native=named)
    chunks = iter(stream)
    while not isinstance(next(chunks), Finished):
        pass
    stream.cancel(ClientGone("gone"))
    assert next(iter(house.stream(native=named))), "the next turn comes before the first one is closed"
    assert [need["prefer"] for need in pool.needs] == [None, pool.credentials[0].id]


def test_cancelling_is_raised_where_the_provider_is_waited_for() -> None:
    house = House(Script([BROKEN]), Script())
    stream, gone = house.stream(), ClientGone("gone")
    stream.cancel(gone)
    with pytest.raises(ClientGone):
        stream.collect()
    assert house.told().error == "client_closed_request"
    assert house.ends == ["failed"], "the try before the pause"


# What goes wrong on our side


@pytest.mark.parametrize("before", [[], [HELLO]])
def test_a_bug_is_our_fault_and_nobody_elses(before: list[ChatChunk]) -> None:
    house = House(Script([*before, KeyError("choices")]))
    with pytest.raises(KeyError):
        house.stream().collect()
    assert house.ends == ["abandoned"]
    assert (house.told().error, house.told().status) == ("internal_error", 500)
    assert house.stage.all_closed()


def test_a_stage_that_refuses_the_answer_abandons_the_lease() -> None:
    rule = FilterPattern(name="secret", pattern="world", action="block")
    settings = PipelineSettings(content_filter=ContentFilterSettings(patterns=(rule,)))
    house = House(Script(), pipeline=settings)
    stream = house.stream()
    list(stream)
    stream.close()
    assert len(house.ends) == 1
    assert house.told().finish_reason == "content_filter"
    assert house.stage.all_closed()


def test_a_stage_that_refuses_the_request_takes_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Pipeline, request: ChatRequest) -> ChatRequest:
        raise InvalidRequest("no")

    monkeypatch.setattr(Pipeline, "prepare", refuse)
    house = House(Script())
    with pytest.raises(InvalidRequest):
        house.stream()
    assert house.stage.pool.leases == []


def test_a_bug_in_an_interceptor_neither_keeps_the_lease_nor_the_others_from_being_told() -> None:
    house = House(Script(), interceptors=(Witness(fails=True),))
    house.stream().collect()
    assert house.ends == ["succeeded"]
    assert house.told().error is None


def test_a_bug_in_the_closing_of_a_connection_does_not_keep_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    def close(self: FakeExchange) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(FakeExchange, "close", close)
    house = House(Script())
    stream = house.stream()
    next(iter(stream))
    with pytest.raises(RuntimeError):
        stream.close()
    assert house.ends == ["abandoned"]
    assert len(house.witness.outcomes) == 1


# While it runs


def test_attempts_count_the_one_under_way_too() -> None:
    house = House(Script([BROKEN]), Script())
    stream = house.stream()
    assert (stream.attempts, stream.committed) == (0, False)
    chunks = iter(stream)
    next(chunks)
    assert (stream.attempts, stream.committed) == (2, True)
    list(chunks)
    stream.close()
    assert stream.attempts == 2


def test_an_answer_that_ends_with_its_first_chunk_is_an_attempt_too() -> None:
    stream = House(Script([Finished("length", Usage(uncached=1, output=1))])).stream()
    next(iter(stream))
    assert stream.attempts == 1
    stream.close()
    assert stream.attempts == 1


def test_overhead_is_the_time_that_was_not_spent_at_a_provider() -> None:
    house = House(Script(seconds=5))
    stream = house.chat.stream(chat_request(), Origin("req-1", house.clock.monotonic() - 0.25))
    stream.collect()
    assert stream.overhead() == pytest.approx(0.25)


def test_overhead_is_known_when_the_first_chunk_is_there() -> None:
    house = House(Script([BROKEN], seconds=2), Script(seconds=5))
    stream = house.chat.stream(chat_request(), Origin("req-1", house.clock.monotonic() - 0.25))
    next(iter(stream))
    assert stream.overhead() == pytest.approx(0.25)
    stream.close()


def test_an_answer_that_does_not_say_that_it_ended_is_broken() -> None:
    house = House(Script([HELLO]))
    with pytest.raises(UpstreamBroken):
        house.stream().collect()
    assert len(house.ends) == 1
    assert house.told().error == "upstream_broken"


def test_what_an_answer_has_used_that_broke_off_is_its_credentials_too() -> None:
    left, failed = House(Script()), House(Script([BROKEN]), Script([HELLO, BROKEN]))
    stream = left.stream()
    next(iter(stream))
    stream.close()
    with pytest.raises(UpstreamServerError):
        failed.stream().collect()
    for house in (left, failed):
        told, lease = house.told(), house.stage.pool.leases[-1]
        assert told.usage is not None
        assert told.usage.source == "estimated"
        assert lease.counted == [(told.usage, told.cost)]
    assert failed.stage.pool.leases[0].counted == [], "it had not begun to answer"


def test_an_answer_that_never_began_has_used_nothing() -> None:
    house = House(Script([BROKEN]), Script([BROKEN]), Script([BROKEN]))
    with pytest.raises(UpstreamServerError):
        house.stream().collect()
    assert [lease.counted for lease in house.stage.pool.leases] == [[]] * len(house.stage.pool.leases)


# Conversations


class Diary:
    """A turn that writes down what had been heard, and what was known of the answer, each time it was ended."""

    conversation = "conv_1"

    def __init__(self) -> None:
        self.heard: list[ChatChunk] = []
        self.ends: list[tuple[int, str | None, str | None]] = []

    def hear(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        for chunk in chunks:
            self.heard.append(chunk)
            yield chunk

    def end(self, outcome: Outcome) -> None:
        self.ends.append((len(self.heard), outcome.finish_reason, outcome.error))


def test_a_turn_is_ended_before_the_client_is_told_of_the_end() -> None:
    diary, house = Diary(), House(Script())
    stream = house.stream(diary)
    seen = iter(stream)
    assert [next(seen), next(seen)] == [HELLO, WORLD]
    assert diary.ends == []
    next(seen)
    assert diary.ends == [(3, "stop", None)]
    stream.close()
    assert stream.outcome.conversation == "conv_1"


def test_a_turn_is_ended_before_the_client_is_told_of_a_failure() -> None:
    diary, house = Diary(), House(Script([HELLO, BROKEN]))
    stream = house.stream(diary)
    with pytest.raises(UpstreamServerError):
        list(stream)
    assert diary.ends == [(1, None, "upstream_server_error")]
    assert stream.outcome.usage is not None
    assert stream.outcome.usage.source == "estimated"
    stream.close()


def test_a_turn_is_ended_when_the_stream_is_closed_in_the_middle() -> None:
    diary, house = Diary(), House(Script())
    stream = house.stream(diary)
    next(iter(stream))
    stream.close()
    assert diary.ends == [(1, None, ClientGone.code)]


def test_a_turn_hears_what_is_said_after_it_was_searched_and_before_thinking_is_shown() -> None:
    diary = Diary()
    pattern = FilterPattern(name="w", pattern="world", max_length=10)
    settings = PipelineSettings(content_filter=ContentFilterSettings(patterns=(pattern,)))
    house = House(Script([ReasoningDelta("hm"), *ANSWER]), pipeline=settings)
    answer = house.stream(diary, thinking_mode="tags").collect()
    assert answer.text.replace("\n", "") == "<think>hm</think>Hello [redacted]"
    assert [chunk.text for chunk in diary.heard if isinstance(chunk, ReasoningDelta)] == ["hm"]
    assert "".join(chunk.text for chunk in diary.heard if isinstance(chunk, TextDelta)) == "Hello [redacted]"


@pytest.mark.parametrize("chunks", [ANSWER, (HELLO, UpstreamBroken("no"))], ids=["whole", "broken"])
def test_what_was_held_is_free_when_the_client_sees_the_end_and_asks_what_comes_next(chunks: Any) -> None:
    money = spending_kit.House({"concurrent_streams": 1}, {"hourly_limit": 10})
    house = House(Script(chunks), Script(), money=money)
    first = iter(house.stream(stream=True))
    with suppress(UpstreamBroken):
        while not isinstance(next(first), Finished):
            continue
    spent = money.spent(None)["global hourly"]
    list(house.stream(stream=True))
    assert spent == pytest.approx(2.0 if chunks is ANSWER else 0.0, abs=0.001), "no more than it has cost"


@pytest.mark.parametrize("stop", [(), ("llo",)], ids=["whole", "cut short here"])
def test_a_key_is_free_when_the_client_sees_the_end_and_is_given_back_once(stop: tuple[str, ...]) -> None:
    house = House(Script(seconds=3))
    with closing(house.stream(stream=True, sampling=Sampling(stop=stop))) as stream:
        seen = iter(stream)
        while not isinstance(next(seen), Finished):
            continue
        assert house.ends == ["succeeded"], "who asks what comes next finds its place free"
        house.clock.advance(1)
    (lease,) = house.stage.pool.leases
    ((_, usage, seconds, cost),) = lease.ends
    assert (usage, cost) == (house.told().usage, house.told().cost)
    assert seconds == pytest.approx(3), "as long as it took, and no longer"


def test_whatever_fails_at_the_end_the_rest_of_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(Script())
    stream = house.stream()
    list(stream)
    closed: list[str] = []
    monkeypatch.setattr(stream._run.hold, "close", lambda: closed.append("hold"))

    def breaks() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(stream, "_settle", breaks)
    monkeypatch.setattr(stream, "_charge", breaks)
    with pytest.raises(RuntimeError):
        stream.close()
    assert closed == ["hold"]
    assert house.told().finish_reason == "stop"
