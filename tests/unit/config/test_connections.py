"""Which connections a worker ends, and when; time is what the sweep is told."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from config.client_socket import ClientSocket
from config.connections import FIRST_SECONDS, Connections

KEEPALIVE = 75.0


@dataclass(frozen=True)
class Times:
    head_timeout: float = 30
    drain_seconds: float = 1


class Pair:
    """A worker with one connection that it waits on, and the client at its other end."""

    def __init__(self, stack: ExitStack, *, first: bool = True) -> None:
        ours, self.client = socket.socketpair()
        self.connection = ClientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
        stack.enter_context(self.client)
        stack.enter_context(self.connection)
        self.connection.wait.first = first
        stack.enter_context(self.connection.wait)
        self.connections = Connections(KEEPALIVE)
        self.connections.add(self.connection)

    def ends_after(self, seconds: float, *, closing: bool) -> bool:
        """Whether a sweep after so much silence ends it: another read would wait otherwise."""
        assert self.connection.wait.since is not None
        self.connections.sweep(self.connection.wait.since + seconds, Times(), closing=closing)
        return self.connection.has_news()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("first", "closing", "patience"),
    [
        (True, False, Times.head_timeout),
        (False, False, KEEPALIVE),
        (True, True, FIRST_SECONDS),
        (False, True, Times.drain_seconds),
    ],
)
def test_a_silent_connection_is_ended_in_its_time(
    stack: ExitStack, first: bool, closing: bool, patience: float
) -> None:
    pair = Pair(stack, first=first)
    assert not pair.ends_after(patience - 0.1, closing=closing)
    assert pair.ends_after(patience, closing=closing)


def test_a_request_that_has_come_is_served_however_late_that_is_seen(stack: ExitStack) -> None:
    pair = Pair(stack)
    pair.client.sendall(b"GET / ")
    pair.ends_after(10 * KEEPALIVE, closing=True)
    pair.client.sendall(b"HTTP/1.1")
    assert pair.connection.recv(6) == b"GET / "
    assert pair.connection.recv(8) == b"HTTP/1.1", "it was not ended between the two"


def test_a_head_that_began_is_ended_with_a_word(stack: ExitStack) -> None:
    pair = Pair(stack)
    pair.client.sendall(b"GET")
    assert pair.connection.recv(3) == b"GET"
    assert not pair.ends_after(Times.head_timeout - 0.1, closing=True)
    assert pair.ends_after(Times.head_timeout, closing=True)
    assert pair.client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_one_that_is_answered_is_left_alone(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert not pair.connections.are_asked()
    pair.connection.wait.__exit__()
    assert pair.connections.are_asked()
    pair.connections.sweep(1e9, Times(), closing=True)
    assert not pair.connection.has_news()
