"""Ports for servers that tests start as processes, which take them a moment later."""

import contextlib
import os
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle

PLAIN = range(24_000, 32_768)
WITH_BUS = range(10_240, 14_000)
"""Below those that the kernel hands out for connections, which are made all the time and would take one meanwhile; the
ports 10,000 above the second ones are none of the first."""
BUS = 10_000
BESIDE = 16
"""So many processes may run tests at a time, each with ports of its own."""


def free_port(*, bus: bool = False) -> int:
    """One that nobody has and that was given to no other test of late; with `bus`, nor the one 10,000 above."""
    for port in _turns(WITH_BUS if bus else PLAIN):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for one in (port, port + BUS) if bus else (port,):
                held.enter_context(socket.create_server(("127.0.0.1", one)))
            return port
    raise AssertionError("there are always more")


@cache
def _turns(ports: range) -> Iterator[int]:
    """Those of this process one after the other, begun somewhere, as another run may be at work on the machine."""
    own = ports[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % BESIDE :: BESIDE]
    start = os.getpid() % len(own)
    return cycle([*own[start:], *own[:start]])
