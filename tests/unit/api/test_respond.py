"""How an answer is sent, and that its stream is closed whatever happens."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, request
from werkzeug.test import TestResponse

from api.dialects.base import Inbound
from api.dialects.openai_chat import OpenAIChat
from api.respond import answer
from config.settings import PipelineSettings, ResponseCacheSettings
from core.cancel import Cancellation
from core.catalogue import Catalogue
from core.counting import TokenCounter
from core.errors import ClientGone, CredentialsExhausted, UpstreamBroken, UpstreamOverloaded
from core.pipeline import Pipeline
from core.signs import SignsOfLife
from core.store.memory import MemoryCounters
from schemas.codec import loads
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.credential import Credential
from schemas.limit import Capacity
from schemas.model import ModelInfo, Target
from schemas.origin import Origin
from schemas.outcome import Attempt
from schemas.route import Candidate, Plan
from schemas.stream import ChatChunk, Finished, KeepAlive, TextDelta
from schemas.usage import Usage
from services.chat import ChatService
from services.closing import Closing
from services.landing import SoftLanding
from services.placement import Place
from services.preparation import Preparation
from services.recollection import Recollection
from services.response_cache import ResponseCache
from services.routing import RoutingService
from services.run import Call, Run
from services.thoughts import ThoughtMemory
from tests.fakes import FakeClock
from tests.unit.services.spending_kit import bare_spending

TARGET = Target("glm", "glm-4.6", ModelInfo("glm-4.6", "z-ai", 1000, 100, {}))
END = Finished("stop", Usage(uncached=5, output=7))


@dataclass
class FakeLease:
    """Writes down how it was given back."""

    credential: Credential = field(default_factory=lambda: Credential("glm", "secret"))
    returned: list[str] = field(default_factory=list)

    overflows = False

    def succeed(self, *_: Any) -> None:
        self.returned.append("succeeded")

    def fail(self, *_: Any) -> None:
        self.returned.append("failed")

    def abandon(self) -> None:
        self.returned.append("abandoned")

    def count(self, *_: Any) -> None:
        """What a broken answer has used is no matter here."""


class FakeDispatcher:
    """Yields what it was given, and raises the exceptions among it; knows whether it was closed."""

    def __init__(self, items: Iterable[ChatChunk | BaseException]) -> None:
        self.items = items
        self.lease = FakeLease()
        self.closed = False
        self.capacity: Capacity | None = None
        self.dropped: tuple[str, ...] = ("seed", "logprobs")

    def call(self, request: Any, origin: Origin) -> Call:
        return Call(origin, Cancellation(), SignsOfLife(10, origin.started))

    def issuer(self, run: Run) -> None:
        return None

    def forwards(self, request: Any, targets: tuple[Target, ...]) -> bool:
        return True

    def chunks(self, run: Run, targets: tuple[Target, ...]) -> Iterator[ChatChunk]:
        run.lease, run.target, run.trying_since = self.lease, targets[0], 0.0
        run.outcome.provider, run.outcome.upstream_model = "glm", "glm-4.6"
        run.outcome.dropped, run.outcome.capacity = self.dropped, self.capacity
        try:
            for item in self.items:
                if isinstance(item, BaseException):
                    raise item
                run.committed = run.committed or isinstance(item, TextDelta)
                run.finished = isinstance(item, Finished)
                yield item
        finally:
            self.closed, run.trying_since = True, None
            run.outcome.attempts.append(Attempt("glm", "glm-4.6", "id", 0.0))


class FakePlacement:
    """Has one target for every model, and follows nothing up."""

    def plan(self, request: Any, caller: Any, asked: Any) -> Plan:
        return Plan((Candidate(TARGET, "the only one"),))

    def names(self, plan: Plan, request: Any) -> dict[str, float]:
        return {}

    def place(self, plan: Plan, request: Any, found: Any) -> Place:
        return Place(plan)

    def ended(self, run: Run) -> None:
        """Nobody is bound."""

    def of(self, run: Run) -> None:
        """Nothing follows."""


class Exchange:
    """One request to a two-line application whose provider answers with `items`."""

    def __init__(self, *items: ChatChunk | BaseException, stream: bool = True) -> None:
        self.dispatcher = FakeDispatcher(items)
        self.context = RequestContext("req-1", 0.0)
        self.body = {"messages": [{"role": "user", "content": "Hi"}], "stream": stream}
        clock = FakeClock()
        pipeline, recollection = Pipeline(PipelineSettings(), TokenCounter()), Recollection(MemoryCounters(), clock)
        thoughts = ThoughtMemory(recollection)
        placement: Any = FakePlacement()
        dispatcher: Any = self.dispatcher
        spending = bare_spending(clock=clock)
        routing = RoutingService(Catalogue([]), [], lambda _: True)
        landing = SoftLanding({}, routing, spending)
        cache = ResponseCache(ResponseCacheSettings(), Recollection(MemoryCounters(), clock), "")
        preparation = Preparation(landing, placement, recollection, thoughts, pipeline)
        parts = (preparation, dispatcher, pipeline, (), clock, thoughts, placement, spending)
        chat = ChatService(*parts, cache, Closing())
        self._chat = chat
        self.app = Flask(__name__)
        self.app.testing = True
        self.app.add_url_rule("/", "chat", self._answer, methods=["POST"])

    def _answer(self) -> Response:
        dialect = OpenAIChat()
        return answer(request, dialect.parse(Inbound(self.body, b"", {}, "m", "hide")), dialect, self._chat, 60)

    def unread(self) -> Response:
        """The answer before a byte of it was asked for; a test client would ask for the first."""
        with self.app.test_request_context("/", method="POST", environ_overrides={ENVIRON_KEY: self.context}):
            return self._answer()

    def send(self) -> TestResponse:
        return self.app.test_client().post("/", environ_overrides={ENVIRON_KEY: self.context}, buffered=False)

    @property
    def returned(self) -> list[str]:
        return self.dispatcher.lease.returned


def test_a_whole_answer_is_json_with_the_facts_in_its_headers() -> None:
    exchange = Exchange(KeepAlive(), TextDelta("Hi"), END, stream=False)
    response = exchange.send()
    assert response.mimetype == "application/json"
    assert loads(response.data)["choices"][0]["message"]["content"] == "Hi"
    headers = exchange.context.headers
    assert headers["X-Gateway-Provider"] == "glm"
    assert headers["X-Gateway-Upstream-Model"] == "glm-4.6"
    assert headers["X-Gateway-Attempts"] == "1"
    assert headers["X-Gateway-Dropped"] == "seed, logprobs"
    assert float(headers["X-Gateway-Overhead-Ms"]) >= 0
    assert "X-Gateway-Cost-USD" not in headers, "no price is known, which is not the same as free"
    assert exchange.returned == ["succeeded"]


def test_a_stream_is_sent_unbuffered_with_the_facts_in_its_headers() -> None:
    exchange = Exchange(TextDelta("Hi"), TextDelta("!"), END)
    response = exchange.send()
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert exchange.context.headers["X-Gateway-Provider"] == "glm"
    assert exchange.context.outcome is not None
    assert response.data.endswith(b"data: [DONE]\n\n")
    response.close()
    assert exchange.returned == ["succeeded"]
    assert exchange.dispatcher.closed


@pytest.mark.parametrize(("stream", "before"), [(True, []), (False, []), (False, [KeepAlive(), TextDelta("Hi")])])
def test_a_failure_before_anything_was_sent_is_raised(stream: bool, before: list[ChatChunk]) -> None:
    exchange = Exchange(*before, UpstreamOverloaded("busy"), stream=stream)
    with pytest.raises(UpstreamOverloaded):
        exchange.send()
    assert exchange.dispatcher.closed
    assert len(exchange.returned) == 1


def test_a_failure_after_the_first_sign_of_life_is_the_last_event() -> None:
    for begin in (KeepAlive(), TextDelta("Hi")):
        exchange = Exchange(begin, UpstreamBroken("cut off"))
        response = exchange.send()
        assert response.status_code == 200
        *_, last, empty = response.data.split(b"\n\n")
        assert empty == b""
        body = loads(last.removeprefix(b"data: "))
        assert body["error"]["code"] == "upstream_broken"
        assert body["request_id"] == "req-1"
        assert b"[DONE]" not in response.data
        assert exchange.dispatcher.closed
        assert exchange.returned == ["abandoned"]


def test_a_bug_in_a_stream_ends_it_without_a_word_of_the_cause() -> None:
    exchange = Exchange(TextDelta("Hi"), RuntimeError("the password is 1234"))
    response = exchange.send()
    last = response.data.split(b"\n\n")[-2]
    assert loads(last.removeprefix(b"data: "))["error"]["code"] == "internal_error"
    assert b"1234" not in response.data
    assert b"Traceback" not in response.data
    assert exchange.dispatcher.closed


@pytest.mark.parametrize("stream", [True, False])
def test_a_bug_before_anything_was_sent_is_raised_and_nothing_leaks(stream: bool) -> None:
    exchange = Exchange(RuntimeError("bug"), stream=stream)
    with pytest.raises(RuntimeError):
        exchange.send()
    assert exchange.dispatcher.closed
    assert exchange.returned == ["abandoned"]


def test_nothing_is_said_to_a_client_that_has_left() -> None:
    exchange = Exchange(TextDelta("Hi"), ClientGone("gone"))
    data = exchange.send().data
    assert b'"Hi"' in data
    assert b"error" not in data


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_not_read_to_its_end_is_closed_all_the_same(read: int) -> None:
    exchange = Exchange(TextDelta("Hi"), TextDelta("!"), END)
    response = exchange.unread()
    frames = iter(response.response)
    for _ in range(read):
        next(frames)
    response.close()
    assert exchange.dispatcher.closed
    assert exchange.returned == ["abandoned"]
    assert exchange.context.outcome is not None
    assert exchange.context.outcome.error == "client_closed_request"


def test_each_answer_has_an_id_of_its_own() -> None:
    ids = {loads(Exchange(TextDelta("Hi"), END, stream=False).send().data)["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(answer_id.startswith("chatcmpl-") for answer_id in ids)


def test_not_more_names_are_told_than_headers_hold() -> None:
    exchange = Exchange(TextDelta("Hi"), END, stream=False)
    exchange.dispatcher.dropped = tuple(f"field_{i}" for i in range(1_000))
    exchange.send()
    told = exchange.context.headers["X-Gateway-Dropped"]
    assert told.startswith("field_0, field_1, ")
    assert told.endswith(", and 968 more")


def test_what_is_left_of_the_keys_that_answered_is_told_as_far_as_it_is_known() -> None:
    exchange = Exchange(TextDelta("Hi"), END, stream=False)
    exchange.dispatcher.capacity = Capacity(2, 15, None)
    exchange.send()
    headers = {name: value for name, value in exchange.context.headers.items() if "Capacity" in name}
    assert headers == {"X-Gateway-Capacity-Keys": "2", "X-Gateway-Capacity-Requests": "15"}


def test_what_is_left_is_told_with_a_refusal_too() -> None:
    exchange = Exchange(CredentialsExhausted("all cool down"), stream=False)
    exchange.dispatcher.capacity = Capacity(0, 0, 0)
    with pytest.raises(CredentialsExhausted):
        exchange.unread()
    assert [exchange.context.headers[f"X-Gateway-Capacity-{name}"] for name in ("Keys", "Requests", "Tokens")] == [
        "0"
    ] * 3


def test_nothing_is_told_of_what_is_left_where_callers_bring_their_keys() -> None:
    exchange = Exchange(TextDelta("Hi"), END, stream=False)
    exchange.send()
    assert not [name for name in exchange.context.headers if "Capacity" in name]
