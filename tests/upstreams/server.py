"""A scripted provider on a real socket, with full power over every byte it sends."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from tests.upstreams.exchange import LiveExchange
from tests.upstreams.gates import Gates
from tests.upstreams.scripts import Behaviour, Entry, Scripts
from tests.upstreams.steps import ClientGone, Step
from tests.upstreams.wire import Reader, Request

PATIENCE = 30.0
"""Seconds after which a wait gives up; only a failing test ever waits so long."""


class Upstream:
    """A simulated provider in threads of this process; a thread a connection.

    Use as a context manager: leaving closes every socket, and raises what a script raised by mistake. Answers like a
    healthy provider until a script says otherwise. Needs a process whose sockets gevent has not patched.
    """

    def __init__(self, port: int = 0, refuses: Callable[[Request], Sequence[Step] | None] | None = None) -> None:
        """`refuses` has the answer for what is not even looked up in the scripts, None for what is."""
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self._scripts = Scripts()
        self._refuses = refuses
        self._gates = Gates()
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._active = 0
        self._closing = False
        self._accepted = 0
        self._thread = threading.Thread(target=self._accept, name=f"upstream-{self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Upstream":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
        if error is None and self.failures:
            raise self.failures[0]

    # What is to happen

    def script(
        self,
        *steps: Step | Sequence[Step],
        times: int | None = 1,
        model: str | None = None,
        when: Callable[[Request], bool] | None = None,
    ) -> None:
        """Play these steps for the next `times` requests (None: for all) that name `model` and satisfy `when`.

        Scripts for a number of requests are used up in order, ahead of those for all; of these the newest counts.
        """
        flat = [step for entry in steps for step in (entry if isinstance(entry, Sequence) else [entry])]
        self.behave(lambda _: flat, times=times, model=model, when=when)

    def behave(
        self,
        behaviour: Behaviour,
        *,
        times: int | None = None,
        model: str | None = None,
        when: Callable[[Request], bool] | None = None,
    ) -> None:
        """As `script`, with the steps computed from the request."""

        def fits(request: Request) -> bool:
            return (model is None or _model(request) == model) and (when is None or when(request))

        self._scripts.add(Entry(behaviour, times, fits))

    def reset(self) -> None:
        """Forget scripts and received requests."""
        self._scripts.clear()
        self.requests.clear()

    def release(self, times: int = 1, gate: str = "") -> None:
        """Let `times` exchanges go on that hold at the gate, or will."""
        self._gates.release(gate, times)

    # What has happened

    @property
    def pending_scripts(self) -> int:
        """For how many coming requests scripts are still in the queue."""
        return self._scripts.pending

    @property
    def open_connections(self) -> int:
        """The client sockets that are open now, busy or idle."""
        with self._changed:
            return len(self._connections)

    @property
    def accepted_connections(self) -> int:
        """The client sockets that were ever accepted."""
        with self._changed:
            return self._accepted

    def wait_requests(self, count: int, timeout: float = PATIENCE) -> bool:
        """True once at least `count` requests have come in whole."""
        return self._wait(lambda: len(self.requests) >= count, timeout)

    def wait_held(self, count: int = 1, gate: str = "", timeout: float = PATIENCE) -> bool:
        """True once at least `count` exchanges hold at the gate."""
        return self._gates.wait_held(count, gate, timeout)

    def wait_closed(self, timeout: float = PATIENCE) -> bool:
        """True once no exchange is in progress."""
        return self._wait(lambda: self._active == 0, timeout)

    def wait_connections(self, at_most: int = 0, timeout: float = PATIENCE) -> bool:
        """True once at most so many client sockets are open."""
        return self._wait(lambda: len(self._connections) <= at_most, timeout)

    def close(self) -> None:
        """Stop listening and close every connection; afterwards the address refuses. May be called twice."""
        with self._changed:
            self._closing = True
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._gates.open_all()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()  # wakes the thread that accepts
        self._thread.join(PATIENCE)
        self._listener.close()
        self.wait_connections()

    # The works

    def _wait(self, happened: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(happened, timeout)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                if self._closing:
                    connection.close()
                    return
                self._connections.add(connection)
                self._accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            reader = Reader(connection)
            while self._answer_one(connection, reader):
                pass
        except OSError:
            pass  # the client reset an idle connection
        except BaseException as error:  # noqa: BLE001 - handed to the test that owns this upstream
            self.failures.append(error)
        finally:
            with self._changed:
                connection.close()
                self._connections.discard(connection)
                self._changed.notify_all()

    def _answer_one(self, connection: socket.socket, reader: Reader) -> bool:
        """Play the script for the next request; True when the connection may be used again."""
        received = reader.request()
        if received is None:
            return False
        request = Request(*received, received_at=time.monotonic())
        exchange = LiveExchange(request, connection, reader, self._gates)
        with self._changed:
            self.requests.append(request)
            self._active += 1
            self._changed.notify_all()
        try:
            refused = self._refuses(request) if self._refuses is not None else None
            for step in self._scripts.choose(request) if refused is None else refused:
                step.play(exchange)
                if exchange.dropped:
                    break
        except ClientGone:
            exchange.dropped = True
            if not self._closing:
                request.disconnected_at = time.monotonic()
                request.disconnected.set()
        finally:
            self._finish(request)
        return exchange.keep_alive and not exchange.dropped

    def _finish(self, request: Request) -> None:
        request.finished.set()
        with self._changed:
            self._active -= 1
            self._changed.notify_all()


def _model(request: Request) -> object:
    try:
        body = request.body
    except ValueError:
        return None
    return body.get("model") if isinstance(body, dict) else None
