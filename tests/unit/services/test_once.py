"""What a question with one short answer meets: counts of tokens, embeddings."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest

from config.settings import CircuitSettings, QueueSettings, RetrySettings, TokenSettings
from core.cancel import Cancellation
from core.catalogue import Catalogue
from core.counting import TokenCounter
from core.credentials.fair_queue import FairQueue
from core.credentials.ground import Ground, Manner
from core.credentials.pool import CredentialPool
from core.errors import (
    CircuitOpen,
    CredentialsExhausted,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NoCredentials,
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamServerError,
    UpstreamUnauthorized,
    UpstreamUnreachable,
)
from core.metrics import Metrics
from core.providers.base import UpstreamRequest
from core.retry import Backoff, RetryBudget
from core.routing import Route
from core.store.memory import MemoryCounters
from schemas.chat import ChatRequest
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.model import Price, Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.usage import Usage
from services import counting, once, queueing
from services.asking import Asking, Question
from services.circuits import Circuits
from services.closing import Closing
from services.counting import CountingService
from services.embeddings import EmbeddingService
from services.hold import Hold, nothing_held
from services.once import Once
from services.routing import RoutingService
from services.site import Site
from services.telemetry import Telemetry
from services.usage_ledger import UsageLedger
from tests.fakes import FakeClock
from tests.unit.core.credentials_kit import DictRecords as CoreRecords
from tests.unit.services import spending_kit
from tests.unit.services.chat_kit import INFO, FakePool, FakeProvider, chat_request
from tests.unit.services.spending_kit import bare_spending
from tests.unit.services.store_fake import DictRecords, DictStore

Answer = tuple[int, bytes] | GatewayError


class Asked(FakeProvider):
    """Counts and embeds: what it is sent says who it is."""

    def count(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        return UpstreamRequest(f"http://{self.name}/count", self.signed(credential))

    def read_count(self, body: bytes) -> int:
        if not body.isdigit():
            raise UpstreamBroken("no number")
        return int(body)

    def embed(
        self, request: EmbeddingRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        return None if self.name == "two" else UpstreamRequest(f"http://{self.name}/embed", self.signed(credential))

    def read_embeddings(self, body: bytes) -> Embeddings:
        return Embeddings(((float(body),),), 1_000_000)


class Watched:
    """A client that stays."""

    def __init__(self, on_gone: Callable[[], None]) -> None: ...

    def stop(self) -> None: ...


class House:
    """Two providers that serve one model, `one` with two keys, and the answers to each call in turn."""

    def __init__(self, *answers: Answer, one: FakePool | None = None) -> None:
        self.clock = FakeClock()
        self.answers = list(answers)
        self.sent: list[str] = []
        self.pools = {"one": one or FakePool("one", "key-a1", "key-b1"), "two": FakePool("two", "key-c1")}
        self.outcome = Outcome("m", stream=False)
        sites = {name: Site(Asked(name, self), pool, 60) for name, pool in self.pools.items()}  # type: ignore[arg-type] # it has a clock
        self.circuits = Circuits(CircuitSettings(failures=2), DictStore(), self.clock, "w")
        self.budget = RetryBudget(0, 10, self.clock)
        retry, asking = RetrySettings(max_attempts=3), Asking(self, self.clock)  # type: ignore[arg-type] # the part that is used
        backoff = Backoff(Random(1))
        self.counting: CountingService | None = None
        self.once = Once(sites, asking, retry, self.clock, Closing(), self.circuits, self.budget, backoff)
        self.routing = RoutingService(Catalogue([INFO]), [Route("one", "fake"), Route("two", "fake")], lambda _: True)

    def call(
        self, request: UpstreamRequest, seconds: float, cancel: Cancellation, asked: Callable[[], object]
    ) -> tuple[int, dict[str, str], bytes]:
        self.sent.append(request.headers["Authorization"])
        answer = self.answers.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer[0], {}, answer[1]

    def ask(self, hold: Hold | None = None) -> int:
        self.outcome = Outcome("m", stream=False)
        origin, held = Origin("req-1", self.clock.monotonic()), hold or nothing_held()
        question = Question(origin, self.outcome, 5, "embeddings", held, tokens=1000)
        targets = self.routing.targets("m")
        return self.once.ask(question, targets, self._build, lambda provider, body: provider.read_count(body))

    def count(self, asks: frozenset[str] = frozenset({"one", "two"})) -> int:
        self.counting = self.counting or CountingService(self.routing, self.once, asks, TokenCounter(), self.clock)
        return self.counting.count(chat_request(), Origin("req-1", self.clock.monotonic()))

    def embed(self) -> Embeddings:
        ledger = UsageLedger(DictRecords(), self.clock, 1)
        service = EmbeddingService(self.routing, self.once, bare_spending(), ledger, Telemetry(Metrics()), self.clock)
        asked, origin = EmbeddingRequest("m", ("x",), {}), Origin("req-1", self.clock.monotonic())
        return service.embed(asked, origin, self.outcome, Watched)

    @property
    def _build(self) -> Callable[..., Any]:
        return lambda provider, target, credential, ident: provider.count(chat_request(), target, credential, ident)


def test_the_first_good_answer_counts() -> None:
    house = House((200, b"7"))
    assert house.ask() == 7
    assert (house.outcome.provider, house.outcome.upstream_model) == ("one", "m-up")
    assert [attempt.error for attempt in house.outcome.attempts] == [None]
    assert house.pools["one"].ends == ["succeeded"]


def test_another_key_and_then_another_target_is_tried() -> None:
    house = House(UpstreamRateLimited("slow"), UpstreamUnreachable("down"), (200, b"7"))
    assert house.ask() == 7
    assert house.sent == ["key-a1", "key-b1", "key-c1"]
    assert house.pools["one"].ends == ["failed", "failed"]


def test_tries_are_bounded() -> None:
    house = House(*[UpstreamUnreachable("down")] * 9)
    with pytest.raises(UpstreamUnreachable):
        house.ask()
    assert len(house.sent) == 3


def test_what_is_wrong_with_the_question_is_not_asked_again() -> None:
    house = House((400, b"bad"))
    with pytest.raises(InvalidRequest, match="bad"):
        house.ask()
    assert house.sent == ["key-a1"]


def test_a_model_that_one_does_not_know_is_looked_for_at_the_next() -> None:
    house = House((404, b"no such model"), (200, b"7"))
    assert house.ask() == 7
    assert house.sent == ["key-a1", "key-c1"]


def test_a_target_that_is_passed_over_takes_nothing_of_the_limit_it_shares_with_the_next() -> None:
    house = House((200, b"7"), one=FakePool("one", back_in=60))
    money = spending_kit.House({"models": {"m": {"requests_per_minute": 1}}}, clock=house.clock)
    assert house.ask(money.open()) == 7
    assert house.sent == ["key-c1"]


def test_keys_that_all_rest_are_told_as_such() -> None:
    house = House(one=FakePool("one", back_in=5))
    house.pools["two"].credentials = []
    with pytest.raises((CredentialsExhausted, NoCredentials)):
        house.ask()
    assert house.sent == []


def test_a_providers_refusal_shows_no_key() -> None:
    house = House((403, b"key-a1 may not"), (403, b"key-b1 may not"), (403, b"key-c1 may not"))
    with pytest.raises(GatewayError) as raised:
        house.ask()
    assert "key-" not in raised.value.message


# Counts


def test_a_provider_that_counts_is_asked() -> None:
    assert House((200, b"42")).count() == 42


@pytest.mark.parametrize("answer", [UpstreamUnreachable("down"), (200, b"x"), (404, b"?"), (503, b"?"), (401, b"?")])
def test_a_count_that_fails_is_made_offline(answer: Answer) -> None:
    house = House(*[answer] * 3)
    assert house.count() == TokenCounter().count_request(chat_request())


def test_a_provider_that_does_not_count_is_not_asked() -> None:
    house = House()
    assert house.count(frozenset()) > 0
    assert house.sent == []


def test_a_prompt_that_the_provider_finds_wrong_is_the_clients_to_mend() -> None:
    with pytest.raises(InvalidRequest, match="messages"):
        House((400, b"messages: wrong")).count()


def test_what_becomes_of_a_count_is_not_held_against_a_key_unless_it_is_refused() -> None:
    limited = House(*[UpstreamRateLimited("too many counts", retry_after=40)] * 2)
    assert limited.count() > 0
    assert limited.pools["one"].ends == ["abandoned"] * 2
    refused = House(UpstreamUnauthorized("bad key"), (200, b"42"))
    assert refused.count() == 42
    assert refused.pools["one"].ends == ["failed", "abandoned"]
    assert [need["free"] for need in refused.pools["one"].needs] == [True, True]
    assert refused.pools["one"].learned == [], "a count has limits of its own"


def test_a_count_takes_no_other_requests_second_try() -> None:
    house = House(*[UpstreamRateLimited("too many counts", retry_after=40)] * 2, UpstreamServerError("down"))
    allowed = house.budget.allows
    for _ in range(10):
        house.budget.take()
    assert not allowed()
    assert house.count() > 0
    assert house.sent == ["key-a1", "key-b1"], "another key may have room"
    house.clock.advance(40)
    assert (house.count() > 0, len(house.sent)) == (True, 3), "what is down is asked once"


@pytest.mark.parametrize(("told", "rest"), [(40.0, 40.0), (None, counting.REST)])
def test_a_provider_that_has_had_enough_of_counts_is_left_alone(told: float | None, rest: float) -> None:
    house = House(*[UpstreamRateLimited("too many counts", retry_after=told)] * 2, (200, b"42"))
    house.count()
    house.clock.advance(rest - 1)
    assert house.count() == TokenCounter().count_request(chat_request())
    assert len(house.sent) == 2
    house.clock.advance(1)
    assert house.count() == 42


# Embeddings


def test_vectors_come_with_their_cost() -> None:
    house = House((200, b"0.5"))
    assert house.embed() == Embeddings(((0.5,),), 1_000_000)
    assert house.outcome.usage == Usage(uncached=1_000_000, output=0)
    assert house.outcome.cost == pytest.approx(1.0)
    assert house.outcome.finish_reason == "stop"
    assert house.pools["one"].leases[0].ends[0][1] == Usage(uncached=1_000_000, output=0)


class TwoModels(RoutingService):
    """Leads to a dear model first, and then to a cheaper one of the same provider."""

    def targets(self, model: str) -> tuple[Target, ...]:
        (target, *_) = super().targets(model)
        dear = replace(target.info, id="dear", prices=(Price(date(2020, 1, 1), input=50.0, output=0.0),))
        return replace(target, model="dear-up", info=dear), target


def test_the_model_that_answered_is_the_one_that_is_paid() -> None:
    house = House((503, b"busy"), (200, b"0.5"))
    house.routing = TwoModels(Catalogue([INFO]), [Route("one", "fake")], lambda _: True)
    house.embed()
    assert (house.outcome.billed_model, house.outcome.cost) == ("m", pytest.approx(1.0))


def test_a_provider_without_embeddings_is_passed_over() -> None:
    house = House(one=FakePool("one"))
    with pytest.raises(ModelNotFound, match="no embeddings"):
        house.embed()
    assert house.sent == []


# The same bounds as a chat's


def test_a_failure_that_opens_a_circuit_is_told_though_nobody_else_can_be_asked() -> None:
    house = House(UpstreamServerError("down"))
    house.circuits.configure(CircuitSettings(failures=1))
    house.pools["two"].credentials, house.pools["two"].back_in = [], 5
    with pytest.raises(UpstreamServerError) as raised:
        house.ask()
    assert (raised.value.details or {})["tried"] == [
        {"provider": "one", "model": "m-up", "error": "upstream_server_error"}
    ]


def test_who_has_to_wait_is_told_of_the_soonest_target_its_circuit_counted_in() -> None:
    house = House()
    house.circuits.configure(CircuitSettings(failures=1, open_seconds=12))
    house.circuits.admit(house.routing.targets("m")[0]).failed(UpstreamServerError("down"))
    house.pools["one"].opens = 0.0
    house.pools["two"].credentials, house.pools["two"].back_in, house.pools["two"].opens = [], 40, 40.0
    for seconds in (12, 9):
        with pytest.raises(CircuitOpen) as raised:
            house.ask()
        assert raised.value.retry_after == seconds
        house.clock.advance(3)
    assert house.sent == []
    assert house.outcome.capacity is not None, "what is left is told where there is nothing"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, none of which pass."""
    waited: list[float] = []
    monkeypatch.setattr(once, "pause", lambda seconds, _: waited.append(seconds))
    return waited


def test_a_target_that_keeps_failing_is_left_alone_and_then_tried_by_one() -> None:
    down = UpstreamServerError("down")
    house = House(down, down, (200, b"7"), (200, b"7"), (200, b"7"), one=FakePool("one", "key-a1", "key-b1"))
    assert (house.ask(), house.ask()) == (7, 7)
    assert house.sent == ["key-a1", "key-b1", "key-c1", "key-c1"], "two failures open it"
    assert house.circuits.state("one/m-up") == "open"
    house.clock.advance(15)
    assert house.ask() == 7
    assert (house.sent[-1], house.circuits.state("one/m-up")) == ("key-a1", "closed")


def test_all_second_tries_of_all_requests_are_bounded_together() -> None:
    house = House(*[UpstreamUnreachable("down")] * 99)
    for _ in range(20):
        with pytest.raises(UpstreamUnreachable):
            house.ask()
        house.circuits = Circuits(CircuitSettings(), DictStore(), house.clock, "w")
        house.once._circuits = house.circuits
    assert len(house.sent) == 20 + 10


def test_a_sole_key_is_asked_again_after_a_pause(pauses: list[float]) -> None:
    house = House(UpstreamServerError("down", retry_after=3), (200, b"7"), one=FakePool("one", "key-a1"))
    house.routing = RoutingService(Catalogue([INFO]), [Route("one", "fake")], lambda _: True)
    assert house.ask() == 7
    assert pauses == [3]


def test_keys_are_asked_for_with_the_size_of_what_is_sent_and_learn_their_limits() -> None:
    house = House((200, b"0.5"))
    house.embed()
    assert house.pools["one"].needs[0]["tokens"] > 0
    assert [model for _, _, model in house.pools["one"].learned] == ["m-up"]


def test_a_slot_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, key = FakeClock(), Credential("one", "key-a1", slots=1)
    queue = FairQueue(QueueSettings(), clock)
    ground = Ground(CoreRecords(), MemoryCounters(), TokenSettings(), clock, "w", Random(1))
    pool = CredentialPool("one", [key], ground, Manner(queue=queue))
    house = House((200, b"7"), one=pool)  # type: ignore[arg-type] # the real one
    house.routing = RoutingService(Catalogue([INFO]), [Route("one", "fake")], lambda _: True)
    busy = pool.lease()
    monkeypatch.setattr(queueing, "pause", lambda *_: busy.abandon())
    assert house.ask() == 7


def test_a_count_waits_for_nobody_and_tells_nothing_of_the_model() -> None:
    house = House(*[UpstreamServerError("down")] * 3)
    assert house.count() > 0
    assert house.circuits.state("one/m-up") == "closed"
    house.circuits.admit(house.routing.targets("m")[0]).failed(UpstreamServerError("down"))
    house.circuits.admit(house.routing.targets("m")[0]).failed(UpstreamServerError("down"))
    sent = len(house.sent)
    assert house.count() > 0
    assert len(house.sent) == sent, "where nobody is asked, nobody is asked to count"
