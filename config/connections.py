"""The connections of one worker, and for how long it waits for what their clients have to ask."""

from typing import Any, Protocol

from gevent import getcurrent

from config.client_socket import ClientSocket, RequestWait
from config.refusals import refusal

FIRST_SECONDS = 5.0
"""How long one that ends waits for the first request of a connection it has just taken, which may be on its way."""


class ServerTimes(Protocol):
    """What the settings say of time, in seconds."""

    head_timeout: float
    drain_seconds: float


class Connections:
    """By the greenlet that serves them. Those that keep the worker waiting for too long are ended by `sweep`."""

    def __init__(self, keepalive: float) -> None:
        self._keepalive = keepalive
        self._all: dict[Any, ClientSocket] = {}

    def add(self, connection: ClientSocket) -> None:
        """The greenlet that runs serves this one from now on."""
        self._all[getcurrent()] = connection

    def remove(self) -> None:
        """The greenlet that runs serves it no longer."""
        del self._all[getcurrent()]

    def wait(self) -> RequestWait:
        """That of the connection which this greenlet serves."""
        return self._all[getcurrent()].wait

    def are_asked(self) -> bool:
        """Whether any has a request that is not answered."""
        return any(connection.wait.since is None for connection in self._all.values())

    def sweep(self, now: float, times: ServerTimes, *, closing: bool) -> None:
        """End those that have been silent for too long at `now`; `closing` is a worker that ends."""
        for connection in list(self._all.values()):
            wait = connection.wait
            if wait.since is None:
                continue
            silent = now - wait.since
            if wait.begun:
                if silent >= times.head_timeout:
                    connection.end_reading(refusal(TimeoutError()) or b"")
            elif silent >= self._patience(times, first=wait.first, closing=closing) and not connection.has_news():
                # News not read yet are of a machine that stood still: the request came in time.
                connection.end_reading()

    def _patience(self, times: ServerTimes, *, first: bool, closing: bool) -> float:
        """For how long a connection may be silent."""
        if not closing:
            return times.head_timeout if first else self._keepalive
        # Whoever keeps connections for less than `drain_seconds` has let go of them by now, and loses no request.
        return max(times.drain_seconds, FIRST_SECONDS) if first else times.drain_seconds
