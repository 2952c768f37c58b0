"""The worker, which is gunicorn's for gevent with an end in peace, and with no patience for slow requests."""

import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from gevent import Timeout, sleep, spawn
from gevent.monkey import MonkeyPatchWarning
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from config.client_socket import ClientSocket
from config.connections import Connections
from config.refusals import refusal
from config.standing import Standing

TICK_SECONDS = 0.25
BLOCK_BYTES = 65_536
MAX_REST_BYTES = 64 * 1024 * 1024
"""What is read of a body that nobody wants: a client that still writes would see a broken connection and no answer."""
SUCCESSION_SECONDS = 30.0
"""How long one that retires takes requests on, if nobody takes its place."""
FAREWELL_SECONDS = 5.0
"""How long the answers that are ended may take to say so."""
QUICK_FAREWELL_SECONDS = 1.0


class Named:
    """A listener by its address, which is all that is asked of it, also when it is closed already: those whom it took
    last are served then."""

    def __init__(self, name: Any) -> None:
        self._name = name

    def getsockname(self) -> Any:
        """The address that it listened on."""
        return self._name


class Worker(GeventWorker):  # type: ignore[misc] # gunicorn ships no types
    """One process, a greenlet a connection. What it is told of time stands in `app.server`.

    SIGHUP has it read its configuration again.
    """

    # Without SIGHUP, which would end the worker from the reset of all of these to the handler's own.
    SIGNALS = tuple(one for one in GeventWorker.SIGNALS if one != signal.SIGHUP)
    wsgi: Any = None
    _asked = False
    _quitting = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._connections = Connections(self.cfg.keepalive)
        self._told = self._closing = False
        self._pools: list[Pool] = []
        self.standing = Standing()

    def patch(self) -> None:
        """Patch what the first process has left as it was."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MonkeyPatchWarning)
            super().patch()

    def run(self) -> None:
        """Serve until told to end, or for as many requests as it may; then let running answers come to their end."""
        servers = [self._listen(listener) for listener in self.sockets]
        self.standing.serving = True
        self._while(lambda: self.alive)
        if self._told:
            # Balancers see that this one is not ready, and send what comes next to others.
            self._while(lambda: True, self.app.server.drain_seconds)
        else:
            self.standing.retiring = True
            self._while(lambda: not self.standing.replaced, SUCCESSION_SECONDS)
        for server in servers:
            _close(server)
        self._closing = True
        # One that retires is in nobody's way: each answer has its own bounds, and all the time until then.
        self._while(lambda: self._is_busy() and not self._told)
        if not self._while(self._is_busy, self.app.server.shutdown_seconds):
            self.log.warning("Answers that still run are ended")
            self._end_answers()
            self._while(self._is_busy, FAREWELL_SECONDS)
        for server in servers:
            server.stop(timeout=1)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection until it ends."""
        connection = ClientSocket(client.family, client.type, client.proto, fileno=client.detach())
        self._connections.add(connection)
        try:
            super().handle(listener, connection, addr)
        finally:
            self._connections.remove()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Answer one request, and read what is left of its body: what comes next on the connection begins behind it."""
        try:
            done = super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            # The connection ends here: closed with something unread, it would be reset, and the answer lost with it.
            with suppress(OSError):
                self._read_rest(req)
            raise
        self._read_rest(req)
        return done

    def _read_rest(self, req: Any) -> None:
        if getattr(req.body.reader, "length", None) != 0:
            with Timeout(self.app.server.head_timeout, StopIteration):
                _read_rest(req.body)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Refuse what is no request in the form of all other errors; whatever else goes wrong here is gunicorn's."""
        answer = refusal(exc)
        if answer is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Refused a request of %s that cannot be read: %s", (addr or ("a socket",))[0], exc)
        client.end_reading(answer)

    def timeout_ctx(self) -> Any:
        """The context of the wait for the next request of this greenlet's connection; a sweep bounds it."""
        return self._connections.wait()

    def init_signals(self) -> None:
        """Hear SIGHUP as well."""
        signal.signal(signal.SIGHUP, self.handle_hup)
        super().init_signals()

    def load_wsgi(self) -> None:
        """Make the application; whoever wanted it to reload meanwhile has that now."""
        super().load_wsgi()
        if self._asked:
            self.handle_hup(signal.SIGHUP, None)

    def handle_hup(self, _signal: int, _frame: Any) -> None:
        """Reload, outside of the signal's handler."""
        if self.wsgi is None:
            self._asked = True
        elif (reload := getattr(self.wsgi, "reload", None)) is not None:
            spawn(reload)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: be no longer ready from this moment on."""
        self._told = True
        super().handle_exit(sig, frame)
        services = self._services()
        if services is not None:
            services.closing.drain()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGQUIT and SIGINT: end everything now, and say so. A terminal sends one, and the first process the other."""
        if not self._quitting:
            self._quitting = True
            spawn(self._quit, sig, frame)

    def _quit(self, sig: int, frame: Any) -> None:
        self._end_answers()
        until = monotonic() + QUICK_FAREWELL_SECONDS
        while self._connections.are_asked() and monotonic() < until:
            sleep(0.02)
        super().handle_quit(sig, frame)

    def _listen(self, listener: Any) -> StreamServer:
        listener.setblocking(1)

        named = Named(listener.getsockname())

        def handle(client: Any, addr: Any) -> None:
            self.handle(named, client, addr)

        pool = Pool(self.worker_connections)
        self._pools.append(pool)
        server = StreamServer(listener, handle=handle, spawn=pool)
        if self.cfg.workers > 1:
            server.max_accept = 1
        server.start()
        return server

    def _while(self, condition: Callable[[], bool], seconds: float = inf) -> bool:
        """Wait as long as `condition` holds; False when the seconds have passed first."""
        until = monotonic() + seconds
        while condition():
            left = until - monotonic()
            if left <= 0:
                return False
            self.notify()
            self._connections.sweep(monotonic(), self.app.server, closing=self._closing)
            sleep(min(TICK_SECONDS, left))
        return True

    def _is_busy(self) -> bool:
        # Not by the connections: those that were accepted in this moment are not among them yet.
        return any(self._pools)

    def _end_answers(self) -> None:
        services = self._services()
        if services is not None:
            services.closing.end()

    def _services(self) -> Any:
        """What the application is made of; None before it is made, and for one that is not ours."""
        return getattr(getattr(self, "wsgi", None), "extensions", {}).get("gateway")


def _read_rest(body: Any) -> None:
    left = MAX_REST_BYTES
    while data := body.read(BLOCK_BYTES):
        left -= len(data)
        if left < 0:
            raise StopIteration  # which closes the connection


def _close(server: StreamServer) -> None:
    """Take what has been connected already, which would be reset, then listen no longer."""
    while not server.full() and (accepted := server.do_read()) is not None:
        server.do_handle(*accepted)
    server.close()
