"""Where held exchanges wait for the test."""

import socket
import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(eq=False)
class Ticket:
    """A place at a gate; `signal` becomes readable when the gate lets through."""

    gate: str
    signal: socket.socket
    waker: socket.socket


class Gates:
    """Named gates with permits. Waiting is done on a socket, so that a waiter can watch its client as well."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._permits: Counter[str] = Counter()
        self._waiting: list[Ticket] = []
        self._open = False

    def release(self, gate: str, times: int) -> None:
        """Let `times` waiters through, the longest waiting first; what is left counts for those to come."""
        with self._changed:
            for _ in range(times):
                ticket = next((ticket for ticket in self._waiting if ticket.gate == gate), None)
                if ticket is None:
                    self._permits[gate] += 1
                else:
                    self._wake(ticket)

    def open_all(self) -> None:
        """Let everybody through from now on."""
        with self._changed:
            self._open = True
            for ticket in list(self._waiting):
                self._wake(ticket)

    def enter(self, gate: str) -> Ticket | None:
        """None when the gate lets through at once, else a ticket to wait with."""
        with self._changed:
            if self._open:
                return None
            if self._permits[gate]:
                self._permits[gate] -= 1
                return None
            ticket = Ticket(gate, *socket.socketpair())
            self._waiting.append(ticket)
            self._changed.notify_all()
            return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the ticket back, whether it was let through or its client left."""
        with self._changed:
            if ticket in self._waiting:
                self._wake(ticket)
            ticket.signal.close()

    def wait_held(self, count: int, gate: str, timeout: float) -> bool:
        """True once at least `count` exchanges wait at the gate."""
        with self._changed:
            return self._changed.wait_for(lambda: sum(t.gate == gate for t in self._waiting) >= count, timeout)

    def _wake(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)
        ticket.waker.close()
