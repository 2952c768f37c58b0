"""The watch over how a request comes in."""

import socket

import pytest
from gunicorn.http.errors import LimitRequestHeaders

from config.client_socket import MAX_HEAD_BYTES, ClientSocket, RequestWait


def test_a_wait_begins_anew_with_the_first_byte() -> None:
    wait = RequestWait()
    assert wait.since is None
    with wait:
        began = wait.since
        assert began is not None
        assert not wait.begun
        wait.heard(1)
        assert wait.begun
        assert wait.since is not None
        assert wait.since >= began
    assert wait.since is None
    assert not wait.first


def test_a_head_has_a_limit_and_what_comes_after_it_has_none() -> None:
    ours, theirs = socket.socketpair()
    connection = ClientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
    with theirs, connection:
        theirs.sendall(b"x" * (MAX_HEAD_BYTES + 100))
        with connection.wait:
            assert len(connection.recv(MAX_HEAD_BYTES)) == MAX_HEAD_BYTES
            with pytest.raises(LimitRequestHeaders):
                connection.recv(100)
        theirs.sendall(b"y" * 100)
        assert connection.recv(200).endswith(b"y")


def test_an_end_of_reading_leaves_what_has_come_to_be_read() -> None:
    ours, theirs = socket.socketpair()
    connection = ClientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
    with theirs, connection:
        theirs.sendall(b"a request that was on its way")
        connection.end_reading(b"farewell")
        assert connection.recv(100) == b"a request that was on its way"
        assert connection.recv(100) == b""
        assert theirs.recv(100) == b"farewell"
