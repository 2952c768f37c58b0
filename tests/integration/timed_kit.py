"""The whole gateway in a thread of the test's process, going by a clock that moves only when told."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import structlog
from gevent.event import Event
from gevent.pywsgi import WSGIServer

from app import create_app
from config.loader import load
from tests.fakes import FakeClock
from tests.gateway import PATIENCE, Gateway

NOW = 1_795_700_000.0
"""26 November 2026: later than all prices of the catalogue that these tests go by."""
BESIDE = "/beside-the-gateway/"


class TimedGateway(Gateway):
    """One instance, configured as a gateway that is a process. Nothing happens in its background but by `tick`.

    Its requests are answered by one thread; the chores run in it too, as in a worker.
    """

    def __init__(self, directory: Path, clock: FakeClock, **environment: str) -> None:
        super().__init__(directory, **environment)
        self._clock = clock
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        self.session = requests.Session()
        self.session.trust_env = False

    def stop(self) -> int:
        self.post(f"{BESIDE}stop", None)
        self._thread.join(PATIENCE)
        return 0

    def tick(self) -> None:
        """Do all that is done in the background, once."""
        assert self.post(f"{BESIDE}tick", None).ok

    def _serve(self) -> None:
        app = create_app(load(self.environment, self.directory), start=False, clock=self._clock)
        services = app.extensions["gateway"]

        def answer(environ: Any, start_response: Any) -> Any:
            path = environ["PATH_INFO"]
            if not path.startswith(BESIDE):
                return app(environ, start_response)
            if path.endswith("tick"):
                for chore in services.background._chores:
                    chore.work()
            start_response("200 OK", [("Content-Length", "0")])
            if path.endswith("stop"):
                stopped.set()
            return [b""]

        stopped = Event()
        server = WSGIServer(("127.0.0.1", self.port), answer, log=None)
        server.start()
        self._ready.set()
        stopped.wait()
        server.stop(timeout=1)
        services.close()


@contextlib.contextmanager
def logging_as_before() -> Iterator[None]:
    """What an application changes of the process's logging is undone."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
