"""Noticing that a client has gone away."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.socket import socket, socketpair

from api.client_watch import ClientWatch

PATIENCE = 10.0


class Environment:
    """One connection as the server hands it to an application, with the client's end of it."""

    def __init__(self) -> None:
        self.client, self.server = socketpair()
        self.gone = Event()
        self.calls = 0

    def watch(self) -> ClientWatch:
        return ClientWatch({"gunicorn.socket": self.server}, self._on_gone)

    def _on_gone(self) -> None:
        self.calls += 1
        self.gone.set()

    def settle(self) -> None:
        """Let the event loop look at the sockets: what is readable now is seen before this returns."""
        probe, other = socketpair()
        other.send(b"x")
        probe.recv(1)
        gevent.idle()
        for end in (probe, other):
            end.close()


@pytest.fixture
def connection() -> Iterator[Environment]:
    environment = Environment()
    yield environment
    for end in (environment.client, environment.server):
        end.close()


def test_a_client_that_closes_is_gone(connection: Environment) -> None:
    watch = connection.watch()
    connection.client.close()
    assert connection.gone.wait(PATIENCE)
    watch.stop()
    assert connection.calls == 1


def test_a_client_that_only_waits_is_still_there(connection: Environment) -> None:
    watch = connection.watch()
    connection.settle()
    assert connection.calls == 0
    watch.stop()


def test_what_the_client_sends_next_is_neither_taken_nor_mistaken_for_leaving(connection: Environment) -> None:
    watch = connection.watch()
    connection.client.send(b"GET / HTTP/1.1\r\n")
    connection.settle()
    assert connection.calls == 0
    assert connection.server.recv(100) == b"GET / HTTP/1.1\r\n"
    watch.stop()


def test_after_stop_nothing_is_noticed(connection: Environment) -> None:
    watch = connection.watch()
    watch.stop()
    watch.stop()
    connection.client.close()
    connection.settle()
    assert connection.calls == 0


def test_a_client_that_left_before_the_watch_began_is_gone(connection: Environment) -> None:
    connection.client.close()
    watch = connection.watch()
    assert connection.gone.wait(PATIENCE)
    watch.stop()


@pytest.mark.parametrize("environ", [{}, {"gunicorn.socket": None}, {"gunicorn.socket": object()}])
def test_without_a_socket_there_is_nothing_to_watch(environ: dict[str, Any]) -> None:
    ClientWatch(environ, pytest.fail).stop()


def test_a_closed_socket_is_not_watched() -> None:
    left, right = socketpair()
    for end in (left, right):
        end.close()
    assert isinstance(left, socket)
    ClientWatch({"gunicorn.socket": left}, pytest.fail).stop()
