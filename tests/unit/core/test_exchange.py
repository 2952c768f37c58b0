"""One request and its answer, read from a real socket as it comes."""

import socket
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, ClassVar

import gevent
import pytest
from gevent.event import Event

from core.cancel import Cancellation
from core.errors import ClientGone, UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from core.exchange import RECEIPTS_IN_A_ROW, Exchange, Patience
from core.providers.base import UpstreamRequest
from core.transport import Transport
from tests.fakes import FakeClock
from tests.upstreams.server import PATIENCE, Upstream
from tests.upstreams.steps import (
    AwaitClose,
    Drop,
    End,
    Events,
    Head,
    Hold,
    Raw,
    Reusable,
    Send,
    Step,
    in_pieces,
    stream,
    whole,
    without_last_chunk,
)  # fmt: skip
from tests.upstreams.steps import (
    Exchange as Wire,
)
from tests.upstreams.wire import gzipped, gzipped_each

EVENTS = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]
BODY = b"".join(EVENTS)
PATIENT = Patience(connect=PATIENCE, silence=1e9, keep_alive=1e9, deadline=1e12)
HURRIED = Patience(connect=PATIENCE, silence=0.09, keep_alive=0.03, deadline=1e12)
"""In seconds of a clock that goes on by a hundredth at each look."""


class TickingClock(FakeClock):
    """A clock that goes on a little each time it is read."""

    def monotonic(self) -> float:
        self.advance(0.01)
        return super().monotonic()


class Flood:
    """Sends without end, until the client closes."""

    def __init__(self) -> None:
        self.sent = 0

    def play(self, exchange: Wire) -> None:
        while True:
            Send(b"x" * 50_000).play(exchange)
            self.sent += 50_000


class House:
    """A provider on a real socket with the transport that leads to it."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.clock = FakeClock()
        self.transport = Transport(self.clock)
        self.cancel = Cancellation()

    def open(self, *steps: Step | list[Step], patience: Patience = PATIENT, clock: FakeClock | None = None) -> Exchange:
        """An exchange whose status and headers are there."""
        self.upstream.script(*steps)
        transport = self.transport if clock is None else Transport(clock)
        request = UpstreamRequest(f"{self.upstream.url}/chat", {"X-Test": "1"}, b"{}")
        exchange = transport.open(request, patience, self.cancel)
        for _ in exchange.opening():
            pass
        return exchange

    def read(self, *steps: Step | list[Step]) -> bytes:
        """The whole body, with the exchange closed afterwards."""
        exchange = self.open(*steps)
        try:
            return exchange.read()
        finally:
            exchange.close()

    def fails(self, error: type[UpstreamError], *steps: Step | list[Step], text: str = "") -> bytes:
        """What was read of the body before `error` was raised."""
        exchange = self.open(*steps)
        received: list[bytes] = []
        with pytest.raises(error, match=text):
            received.extend(exchange.blocks())
        exchange.close()
        return b"".join(received)

    def left(self) -> bool:
        """True once the provider saw the connection of the newest request closed before its end."""
        return self.upstream.requests[-1].disconnected.wait(PATIENCE)

    def connections(self) -> int:
        return self.upstream.accepted_connections


@pytest.fixture
def house() -> Iterator[House]:
    with Upstream() as upstream:
        house = House(upstream)
        yield house
        house.transport.close()


# Asking


def test_a_provider_is_asked_once_all_of_the_request_is_on_its_way(house: House) -> None:
    house.upstream.script(Head(), AwaitClose())
    request = UpstreamRequest(f"{house.upstream.url}/chat", {}, b"x" * 1_000_000)
    exchange = house.transport.open(request, PATIENT, house.cancel)
    assert not exchange.asked, "nothing is sent yet"
    list(exchange.opening())
    assert exchange.asked
    assert house.upstream.requests[0].raw_body == request.body
    exchange.close()


def test_a_provider_that_takes_no_connection_is_not_asked(house: House) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/chat"
        exchange = house.transport.open(UpstreamRequest(url, {}, b"{}"), PATIENT, house.cancel)
        with pytest.raises(UpstreamUnreachable):
            list(exchange.opening())
    assert not exchange.asked
    exchange.close()


# Bodies


BODIES: dict[str, list[Step]] = {
    "chunks": stream(EVENTS),
    "chunks, cut at every byte": in_pieces(BODY, 1),
    "a length": whole(BODY),
    "a length, in the same packet as the headers": [Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + b"one")],
    "chunks, in the same packet as the headers": [
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n")
    ],
    "until the connection closes": [Head(until_close=True), Raw(BODY), Drop()],
    "HTTP/1.0": [Raw(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), Drop()],
    "gzip": [Head(headers={"Content-Encoding": "gzip"}), Send(gzipped(BODY)), End()],
    "zlib": [Head(headers={"Content-Encoding": "deflate"}), Send(zlib.compress(BODY)), End()],
    "identity": [Head(headers={"Content-Encoding": "identity"}), Send(BODY), End()],
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_read_whole(house: House, name: str) -> None:
    assert house.read(BODIES[name]) == (b"one" if "packet" in name else BODY)


def test_status_and_headers_are_told_with_names_in_lower_case(house: House) -> None:
    exchange = house.open(whole(b"no", 429, {"Retry-After": "7", "X-UPPER": "Yes"}))
    assert exchange.status == 429
    assert exchange.headers["retry-after"] == "7"
    assert exchange.headers["x-upper"] == "Yes"
    assert exchange.read() == b"no"
    exchange.close()


def test_events_are_handed_on_as_they_come(house: House) -> None:
    exchange = house.open(Head(), Send(EVENTS[0]), Hold(), Send(EVENTS[1]), End())
    blocks = exchange.blocks()
    assert next(blocks) == EVENTS[0]
    house.upstream.release()
    assert b"".join(blocks) == EVENTS[1]
    exchange.close()


def test_packed_events_are_handed_on_as_they_come(house: House) -> None:
    first, second, *rest = gzipped_each(EVENTS)
    exchange = house.open(
        Head(headers={"Content-Encoding": "gzip"}), Send(first), Hold(), Events([second, *rest]), End()
    )
    blocks = exchange.blocks()
    assert next(blocks) == EVENTS[0]
    house.upstream.release()
    assert b"".join(blocks) == b"".join(EVENTS[1:])
    exchange.close()


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_whole_at_once(house: House, status: int) -> None:
    head = b"HTTP/1.1 %d Nothing\r\n\r\n" % status
    assert house.read(Raw(head), Reusable()) == b""
    assert house.read(whole(b"next")) == b"next"
    assert house.connections() == 1


def test_an_empty_body_is_read_as_such(house: House) -> None:
    assert house.read(whole(b"")) == b""
    assert house.read(Head(), End()) == b""
    assert house.connections() == 1


def test_a_body_is_read_up_to_a_limit(house: House) -> None:
    exchange = house.open(Head(), Flood())
    assert exchange.read(100_000) == b"x" * 100_000
    exchange.close()
    assert house.left()


# What goes wrong


def test_an_unknown_encoding_is_refused(house: House) -> None:
    house.fails(UpstreamBroken, Head(headers={"Content-Encoding": "br"}), AwaitClose(), text="'br'")
    assert house.left()


def test_a_packed_body_that_cannot_be_unpacked_is_broken(house: House) -> None:
    steps = [Head(headers={"Content-Encoding": "gzip"}), Send(b"no gzip"), AwaitClose()]
    house.fails(UpstreamBroken, steps, text="unpacked")
    assert house.left()


def test_a_broken_chunk_is_broken_after_what_came_before(house: House) -> None:
    exchange = house.open(Head(), Send(EVENTS[0]), Hold(), Raw(b"zz\r\n"), AwaitClose())
    blocks = exchange.blocks()
    received = next(blocks)
    house.upstream.release()
    with pytest.raises(UpstreamBroken, match="broken chunk"):
        next(blocks)
    exchange.close()
    assert received == EVENTS[0]
    assert house.left()


def test_chunks_that_are_cut_off_are_broken(house: House) -> None:
    assert house.fails(UpstreamBroken, without_last_chunk(EVENTS), text="cut off") == BODY


def test_a_body_shorter_than_its_length_is_cut_off(house: House) -> None:
    assert house.fails(UpstreamBroken, Head(length=100), Raw(BODY), Drop(), text="cut off") == BODY


def test_a_reset_connection_is_broken(house: House) -> None:
    exchange = house.open(Head(), Send(EVENTS[0]), Hold(), Drop(reset=True))
    blocks = exchange.blocks()
    assert next(blocks) == EVENTS[0]
    house.upstream.release()
    with pytest.raises(UpstreamBroken, match="broke the connection"):
        next(blocks)
    exchange.close()


# Connections


def test_a_connection_serves_again_after_a_whole_answer(house: House) -> None:
    for steps in (stream(EVENTS), whole(BODY), whole(b"no", 500), stream(EVENTS)):
        house.read(steps)
    assert house.connections() == 1


def test_two_answers_at_once_have_two_connections_that_both_serve_again(house: House) -> None:
    exchanges = [house.open(Head(), Hold(), End()) for _ in range(2)]
    house.upstream.release(2)
    for exchange in exchanges:
        exchange.read()
        exchange.close()
    house.read(stream(EVENTS))
    assert house.connections() == 2


def test_a_connection_whose_answer_is_drained_serves_again(house: House) -> None:
    exchange = house.open(Head(), Send(BODY), Hold(), Send(b": trailing\n\n"), End())
    assert next(exchange.blocks()) == BODY
    house.upstream.release()
    assert house.upstream.requests[0].finished.wait(PATIENCE)
    exchange.drain()
    exchange.close()
    house.read(stream(EVENTS))
    assert house.connections() == 1


def test_a_whole_answer_needs_no_draining(house: House) -> None:
    exchange = house.open(
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"), Reusable()
    )
    assert next(exchange.blocks()) == b"one"
    exchange.drain()
    exchange.close()
    house.read(stream(EVENTS))
    assert house.connections() == 1


@pytest.mark.parametrize("rest", [[AwaitClose()], [Hold(), Raw(b"zz\r\n"), AwaitClose()]], ids=["silent", "broken"])
def test_an_answer_that_does_not_end_is_not_waited_for(house: House, rest: list[Step]) -> None:
    exchange = house.open(Head(), Send(BODY), *rest)
    assert next(exchange.blocks()).startswith(BODY[:10])
    house.upstream.release()
    exchange.drain()
    exchange.close()
    assert house.left()
    house.read(stream(EVENTS))
    assert house.connections() == 2


def test_draining_has_a_bound(house: House) -> None:
    flood = Flood()
    exchange = house.open(Head(), flood)
    next(exchange.blocks())
    exchange.drain()
    exchange.close()
    assert house.left()
    assert flood.sent < 32_000_000


def test_draining_what_was_not_begun_does_nothing(house: House) -> None:
    exchange = house.open(Head(), AwaitClose())
    exchange.drain()
    exchange.close()
    assert house.left()


def test_a_connection_with_a_half_read_answer_is_closed_and_serves_no_more(house: House) -> None:
    exchange = house.open(Head(), Send(EVENTS[0]), AwaitClose())
    next(exchange.blocks())
    exchange.close()
    assert house.left()
    assert house.read(stream(EVENTS)) == BODY
    assert house.connections() == 2


def test_a_connection_whose_body_was_not_touched_is_closed(house: House) -> None:
    house.open(Head(), AwaitClose()).close()
    assert house.left()


def test_a_connection_that_ends_with_its_answer_serves_no_more(house: House) -> None:
    house.read(Head(until_close=True), Raw(BODY), Drop())
    house.read(stream(EVENTS))
    assert house.connections() == 2


@pytest.mark.parametrize("body", [b"ok", b""])
def test_a_connection_that_brings_more_than_its_answer_serves_no_more(house: House, body: bytes) -> None:
    surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert house.read(Raw(head + body + surplus), Reusable()) == body
    assert house.read(whole(b"mine")) == b"mine"
    assert house.connections() == 2


def test_closing_twice_does_nothing_more(house: House) -> None:
    exchange = house.open(stream(EVENTS))
    exchange.read()
    exchange.close()
    exchange.close()
    assert house.read(stream(EVENTS)) == BODY
    assert house.connections() == 1


# Time


def test_a_silent_body_shows_signs_of_life_until_it_was_silent_for_too_long(house: House) -> None:
    exchange = house.open(Head(), Send(EVENTS[0]), AwaitClose(), patience=HURRIED, clock=TickingClock())
    received: list[bytes] = []
    with pytest.raises(UpstreamTimeout, match="silent for too long"):
        received.extend(exchange.blocks())
    exchange.close()
    assert b"".join(received) == EVENTS[0]
    assert 2 <= received.count(b"") <= 3, "one a keep-alive's time"
    assert house.left()


def test_silence_is_counted_from_the_last_byte(house: House) -> None:
    clock = FakeClock()
    patience = Patience(PATIENCE, silence=60, keep_alive=1e9, deadline=1e12)
    exchange = house.open(
        Head(), Send(b"1"), Hold(), Send(b"2"), Hold(), Send(b"3"), End(), patience=patience, clock=clock
    )
    blocks = exchange.blocks()
    for expected in (b"1", b"2", b"3"):
        assert next(blocks) == expected
        clock.advance(59)
        house.upstream.release()
    assert list(blocks) == []
    exchange.close()


def test_packed_silence_shows_signs_of_life_too(house: House) -> None:
    steps = [Head(headers={"Content-Encoding": "gzip"}), AwaitClose()]
    exchange = house.open(*steps, patience=HURRIED, clock=TickingClock())
    assert next(exchange.blocks()) == b""
    exchange.close()


def test_a_silent_body_ends_at_the_deadline(house: House) -> None:
    clock = TickingClock()
    patience = Patience(PATIENCE, silence=1e9, keep_alive=0.01, deadline=clock.now() + 0.2)
    exchange = house.open(Head(), AwaitClose(), patience=patience, clock=clock)
    with pytest.raises(UpstreamTimeout, match="whole answer"):
        list(exchange.blocks())
    exchange.close()
    assert house.left()


def test_a_body_that_never_pauses_ends_at_the_deadline(house: House) -> None:
    clock = TickingClock()
    patience = Patience(PATIENCE, silence=1e9, keep_alive=1e9, deadline=clock.now() + 10)
    exchange = house.open(Head(), Flood(), patience=patience, clock=clock)
    with pytest.raises(UpstreamTimeout, match="whole answer"):
        for _ in exchange.blocks():
            pass
    exchange.close()
    assert house.left()


# Cancelling


def cancelled_while_reading(house: House, *steps: Step) -> BaseException | None:
    """What is raised in a greenlet that reads on and on, when it is cancelled after its first block."""
    exchange, begun = house.open(*steps), Event()

    def work() -> None:
        try:
            for _ in exchange.blocks():
                begun.set()
        finally:
            exchange.close()

    task = gevent.spawn(work)
    assert begun.wait(PATIENCE)
    house.cancel.cancel(ClientGone("gone"))
    task.join(PATIENCE)
    return task.exception


@pytest.mark.parametrize("then", [AwaitClose(), Flood()], ids=["in silence", "in a flood"])
def test_reading_a_body_can_be_cancelled_which_closes_the_connection(house: House, then: Step) -> None:
    assert isinstance(cancelled_while_reading(house, Head(), Send(BODY), then), ClientGone)
    assert house.left()


def test_a_long_stream_that_never_waits_lets_others_run(house: House) -> None:
    exchange, turns = house.open(Head(), Flood()), []

    def other() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0)

    task = gevent.spawn(other)
    blocks = exchange.blocks()
    for _ in range(500):
        next(blocks)
    task.kill()
    exchange.close()
    assert len(turns) > 3


class Endless:
    """A response whose socket has always something to read."""

    status = 200
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self._original_response = self.fp = self.raw = self._sock = self
        self._watched = socket.socket()
        self.fileno, self.close = self._watched.fileno, self._watched.close

    def recv(self, size: int) -> bytes:
        return bytes(size)

    def peek(self) -> bytes:
        return b""

    def gettimeout(self) -> None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        pass


def test_a_stream_that_never_has_to_wait_is_cancelled_too() -> None:
    cancel = Cancellation()
    exchange = exchange_of(lambda _: Endless(), PATIENT, cancel)
    list(exchange.opening())
    more: list[bytes] = []
    blocks = exchange.blocks()
    next(blocks)
    cancel.cancel(ClientGone("gone"))
    with pytest.raises(ClientGone):
        more.extend(islice(blocks, 10_000))
    exchange.close()
    assert len(more) <= RECEIPTS_IN_A_ROW


# Before the headers are there


class Sending:
    """Stands in for the adapter: sends until it is let go, and knows what became of it."""

    def __init__(self, answer: object = None, *, stubborn: bool = False) -> None:
        self.answer = answer
        self.stubborn = stubborn
        self.begun, self.go, self.killed = Event(), Event(), Event()

    def __call__(self, written: Callable[[], None]) -> Any:
        self.begun.set()
        try:
            self.go.wait()
        except gevent.GreenletExit:
            self.killed.set()
            if not self.stubborn:
                raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Answer:
    """An answer that only knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = Event()
        self.close = self.closed.set


def exchange_of(send: Callable[[], Any], patience: Patience = HURRIED, cancel: Cancellation | None = None) -> Exchange:
    def translate(failure: Exception, host: str) -> UpstreamUnreachable:
        return UpstreamUnreachable(f"{host}: {failure}")

    return Exchange("host", patience, cancel or Cancellation(), TickingClock(), send, translate)


def test_waiting_for_headers_shows_signs_of_life_until_it_was_silent_for_too_long() -> None:
    sending = Sending()
    signs: list[None] = []
    exchange = exchange_of(sending)
    with pytest.raises(UpstreamTimeout, match="silent for too long"):
        signs.extend(exchange.opening())
    exchange.close()
    assert 2 <= len(signs) <= 3
    assert sending.killed.wait(PATIENCE)


def test_waiting_for_headers_ends_at_the_deadline() -> None:
    clock_began = FakeClock().now()
    exchange = exchange_of(Sending(), Patience(PATIENCE, 1e9, 0.01, clock_began + 0.2))
    with pytest.raises(UpstreamTimeout, match="whole answer"):
        for _ in exchange.opening():
            pass
    exchange.close()


def test_waiting_for_headers_can_be_cancelled_which_ends_the_sending() -> None:
    cancel, sending = Cancellation(), Sending()
    exchange = exchange_of(sending, PATIENT, cancel)
    task = gevent.spawn(list, exchange.opening())
    assert sending.begun.wait(PATIENCE)
    cancel.cancel(ClientGone("gone"))
    task.join(PATIENCE)
    assert isinstance(task.exception, ClientGone)
    exchange.close()
    assert sending.killed.wait(PATIENCE)


def test_what_was_closed_before_it_was_sent_is_never_sent() -> None:
    sending = Sending()
    exchange_of(sending).close()
    gevent.idle()
    assert not sending.begun.is_set()


def test_an_answer_that_comes_after_the_closing_is_closed() -> None:
    answer = Answer()
    sending = Sending(answer, stubborn=True)
    exchange = exchange_of(sending)
    assert sending.begun.wait(PATIENCE)
    exchange.close()
    assert answer.closed.wait(PATIENCE)


def test_a_failure_to_send_is_translated_with_its_cause() -> None:
    failure = OSError("no route")
    sending = Sending(failure)
    sending.go.set()
    exchange = exchange_of(sending, PATIENT)
    with pytest.raises(UpstreamUnreachable, match="host: no route") as raised:
        list(exchange.opening())
    assert raised.value.__cause__ is failure
    exchange.close()
