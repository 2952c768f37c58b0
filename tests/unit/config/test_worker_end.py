"""A worker that ends answers whoever has been connected to it by then."""

import os
import socket
from types import SimpleNamespace

from gevent import socket as gevent_socket
from gunicorn.config import Config
from gunicorn.glogging import Logger

from config.gunicorn_worker import Worker

TIMES = SimpleNamespace(head_timeout=5, drain_seconds=0, shutdown_seconds=5)


def test_one_that_was_connected_just_before_the_end_gets_its_answer() -> None:
    config = Config()
    config.set("keepalive", 75)
    listener = gevent_socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    worker = Worker(0, os.getppid(), [listener], SimpleNamespace(server=TIMES), 5, config, Logger(config))
    worker.wsgi = lambda _environ, begin: (begin("200 OK", [("Content-Length", "4")]), [b"here"])[1]
    worker.alive, worker.standing.replaced = False, True
    with socket.create_connection(listener.getsockname(), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        worker.run()
        assert client.makefile("rb").read().endswith(b"here")
