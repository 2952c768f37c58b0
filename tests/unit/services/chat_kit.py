"""Stand-ins for everything a dispatcher asks: pools, a provider, and the connections to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

from config.settings import CircuitSettings, LinkSettings, QueueSettings, RetrySettings, StreamSettings
from core import sse
from core.cancel import Cancellation
from core.credentials.fair_queue import FairQueue
from core.errors import CredentialsExhausted, GatewayError, NoCredentials
from core.exchange import Patience
from core.fetcher import Bounds
from core.providers.base import Provider, UpstreamRequest, status_error
from core.retry import Backoff
from core.signs import SignsOfLife
from core.sse import Event
from core.store.memory import MemoryCounters
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.credential import Credential
from schemas.limit import Capacity, LimitReading
from schemas.model import ModelInfo, Price, Target
from schemas.origin import Origin
from schemas.outcome import Attempt, Outcome
from schemas.stream import ChatChunk, Finished, KeepAlive, TextDelta
from schemas.usage import Usage
from services.attempt import Attempts
from services.circuits import Circuits
from services.dispatch import Dispatcher
from services.linked_media import LinkedMedia
from services.recollection import Recollection
from services.refusals import Refusals
from services.run import Call, Run
from services.site import Site
from services.thoughts import ThoughtMemory
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictStore

PRICES = (Price(date(2026, 1, 1), input=1.0, output=10.0), Price(date(2030, 1, 1), input=2.0, output=20.0))
INFO = ModelInfo("m", "owner", 1000, 100, {"fake": "m-up"}, prices=PRICES)
USAGE = Usage(uncached=1_000_000, output=100_000)
HELLO, WORLD, END = TextDelta("Hello"), TextDelta(" world"), Finished("stop", USAGE)
ANSWER: tuple[ChatChunk, ...] = (HELLO, WORLD, END)


def chat_request(**fields: Any) -> ChatRequest:
    message = Message("user", (TextPart("Hi"),))
    return ChatRequest("m", (message,), **{"native": Native("openai_chat", {}), **fields})


@dataclass
class Script:
    """What one try meets: signs of life before the headers, the status, and chunks, with exceptions among them.

    The clock goes on by `seconds` before the headers.
    """

    chunks: Sequence[ChatChunk | Exception] = ANSWER
    status: int = 200
    signs: int = 0
    seconds: float = 0.0
    refused: Exception | None = None


@dataclass
class FakeExchange:
    """One try on its way; knows what was done to it."""

    script: Script
    clock: FakeClock
    status: int = 0
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    has_begun: bool = False
    asked: bool = True
    drained: bool = False
    closed: int = 0

    def begun(self) -> None:
        self.has_begun = True

    def opening(self) -> Iterator[None]:
        for _ in range(self.script.signs):
            yield
        self.clock.advance(self.script.seconds)
        if self.script.refused is not None:
            raise self.script.refused
        self.status = self.script.status

    def blocks(self) -> Iterator[bytes]:
        for number, chunk in enumerate(self.script.chunks):
            yield b"" if isinstance(chunk, KeepAlive) else sse.encode(str(number).encode())

    def read(self, limit: int = 0) -> bytes:
        return b"refused"

    def drain(self) -> None:
        self.drained = True

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeTransport:
    """Meets each try with the next script."""

    clock: FakeClock
    scripts: list[Script] = field(default_factory=list)
    exchanges: list[FakeExchange] = field(default_factory=list)
    requests: list[UpstreamRequest] = field(default_factory=list)
    patience: Patience | None = None

    def open(self, request: UpstreamRequest, patience: Patience, cancel: Cancellation) -> FakeExchange:
        self.requests.append(request)
        self.patience = patience
        exchange = FakeExchange(self.scripts[len(self.exchanges)], self.clock)
        self.exchanges.append(exchange)
        return exchange


@dataclass
class FakeFetcher:
    """Has the files that it was given, and knows what was asked for."""

    files: dict[str, bytes | GatewayError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str, accept: str, bounds: Bounds, cancel: Cancellation) -> bytes:
        self.asked.append(url)
        found = self.files[url]
        if isinstance(found, GatewayError):
            raise found
        return found


class FakeProvider(Provider):
    """Decodes to the chunks of the script it meets."""

    kind = "fake"

    def __init__(self, name: str, transport: FakeTransport) -> None:
        super().__init__(name, "http://fake", transport.clock)
        self._transport = transport
        self.refusal: GatewayError | None = None

    def authorize(self, credential: Credential) -> dict[str, str]:
        return {"Authorization": credential.secret}

    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        if self.refusal is not None:
            raise self.refusal
        headers = {**self.authorize(credential), "X-Request-ID": request_id, "X-Model": target.model}
        return UpstreamRequest(f"{self.base_url}/{self.name}", headers, b"{}", dropped=("seed",))

    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        chunks = self._transport.exchanges[-1].script.chunks
        for event in events:
            chunk = KeepAlive() if event is sse.SILENCE else chunks[int(event.data)]
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        return status_error(status, body.decode())


@dataclass
class FakeLease:
    """Writes down each time it is given back."""

    credential: Credential
    ends: list[tuple[Any, ...]] = field(default_factory=list)

    overflows = False
    has_begun = False
    counted: list[tuple[Usage, float | None]] = field(default_factory=list)

    def begun(self) -> None:
        self.has_begun = True

    def count(self, usage: Usage, cost: float | None) -> None:
        self.counted.append((usage, cost))

    def succeed(self, usage: Usage | None, seconds: float, cost: float | None) -> None:
        self.ends.append(("succeeded", usage, seconds, cost))

    def fail(self, error: GatewayError, seconds: float) -> None:
        self.ends.append(("failed", error, seconds))

    def abandon(self) -> None:
        self.ends.append(("abandoned",))

    def decline(self) -> None:
        self.ends.append(("declined",))


class FakePool:
    """Leases its credentials in order; `exhausted` is raised when none is left, as seconds or for good."""

    def __init__(self, name: str, *secrets: str, back_in: float | None = None) -> None:
        self.credentials = [Credential(name, secret) for secret in secrets]
        self.back_in = back_in
        self.leases: list[FakeLease] = []
        self.needs: list[dict[str, Any]] = []
        self.learned: list[tuple[str, tuple[LimitReading, ...], str]] = []
        self.queue = FairQueue(QueueSettings(), FakeClock())
        self.limited = True
        self.opens: float | None = None

    def lease(self, exclude: frozenset[str] = frozenset(), **need: Any) -> FakeLease:
        self.needs.append(need)
        for credential in self.credentials:
            if credential.id not in exclude:
                self.leases.append(FakeLease(credential))
                return self.leases[-1]
        if self.back_in is not None:
            raise CredentialsExhausted("all cool down", retry_after=self.back_in)
        raise NoCredentials("none is left")

    def learn(self, credential_id: str, readings: Iterable[LimitReading], model: str = "") -> None:
        self.learned.append((credential_id, tuple(readings), model))

    def shares(self, credential_id: str, error: GatewayError) -> frozenset[str]:
        return frozenset({credential_id})

    def opens_in(self, model: str = "", tokens: int = 0, only: str | None = None) -> float | None:
        return self.opens if only is None else self.opens or 0.0

    def capacity(self, model: str = "", own: str | None = None) -> Capacity:
        return Capacity(len(self.credentials))

    @property
    def secrets(self) -> list[str]:
        """What was leased, in order."""
        return [lease.credential.secret for lease in self.leases]

    @property
    def ends(self) -> list[str]:
        """How each lease was given back; fails when one was not, or more than once."""
        assert [len(lease.ends) for lease in self.leases] == [1] * len(self.leases)
        return [lease.ends[0][0] for lease in self.leases]


class Stage:
    """Two providers, `one` with the credentials of `pool` and `two` with those of `other`, and scripts for each try."""

    def __init__(
        self,
        *scripts: Script,
        pool: FakePool | None = None,
        other: FakePool | None = None,
        max_attempts: int = 5,
        total_seconds: float = 300,
        retry: RetrySettings | None = None,
        circuit: CircuitSettings | None = None,
        clock: FakeClock | None = None,
        links: LinkSettings | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.fetcher = FakeFetcher()
        self.transport = FakeTransport(self.clock, list(scripts))
        self.pool = pool or FakePool("one", "a", "b")
        self.other = other or FakePool("two", "c")
        self.one, self.two = FakeProvider("one", self.transport), FakeProvider("two", self.transport)
        self.targets = (Target("one", "m-one", INFO), Target("two", "m-two", INFO))
        self.cancel = Cancellation()
        self.recollection = Recollection(MemoryCounters(), self.clock)
        self.thoughts = ThoughtMemory(self.recollection)
        self.store = DictStore()
        self.circuits = Circuits(circuit or CircuitSettings(), self.store, self.clock, "worker")
        self.sites = {"one": Site(self.one, self.pool, 60), "two": Site(self.two, self.other, 60)}
        self.told: list[Attempt] = []
        refusals, media = Refusals(self.thoughts), LinkedMedia(links or LinkSettings(), self.fetcher, self.clock)
        transport: Any = self.transport
        attempts = Attempts(self.sites, transport, StreamSettings(), self.clock, refusals, media, self.told.append)
        self.dispatcher = Dispatcher(
            self.sites,
            attempts,
            StreamSettings(),
            retry or RetrySettings(max_attempts=max_attempts, total_seconds=total_seconds),
            Backoff(Random(1), first=0),
            self.clock,
            refusals,
            self.circuits,
            media,
        )
        self.run = Run(
            chat_request(),
            Call(Origin("req-1", self.clock.monotonic()), self.cancel, SignsOfLife(10, self.clock.monotonic())),
            Outcome("m", stream=False),
        )

    def chunks(self, targets: int = 2) -> Iterator[ChatChunk]:
        """The chunks of a dispatch over the first so many targets."""
        return self.dispatcher.chunks(self.run, self.targets[:targets])

    @property
    def errors(self) -> list[str | None]:
        """The error of each attempt."""
        return [attempt.error for attempt in self.run.outcome.attempts]

    @property
    def tries(self) -> list[str]:
        """The credential of each try."""
        return [request.headers["Authorization"] for request in self.transport.requests]

    def all_closed(self) -> bool:
        """True when every exchange was closed."""
        return all(exchange.closed for exchange in self.transport.exchanges)
