"""Runs the simulator as a process of its own: `python -m demo --port 9000`."""

import argparse
import signal

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pywsgi import WSGIServer

from demo.faults import CODES
from demo.parent import when_gone
from demo.simulator import Simulator

_BACKLOG = 1024
_SECONDS_TO_FINISH = 0.5


def main() -> None:
    """Serve on the loopback address until a signal comes or the parent is gone."""
    options = _options()
    listener = _listen(options.port)
    server = WSGIServer(listener, Simulator(options.delay_ms / 1000), log=None, error_log=None)
    server.start()
    over = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, over.set)
    if options.parent is not None:
        gevent.spawn(when_gone, options.parent, over.set)
    print(f"simulator listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    over.wait()
    server.stop(_SECONDS_TO_FINISH)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="A simulated GLM provider: the open platform under /api/paas/v4, the web form under /api.",
        epilog="A message that contains 'simulate error CODE' is refused with that code "
        f"({', '.join(CODES)}); 'simulate N words' gets an answer of N words. "
        "A tool is called when the message names it. Any bearer token is accepted.",
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process is gone")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="pause after each event of a stream (default 30)")
    return parser.parse_args()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it on Linux
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener


if __name__ == "__main__":
    main()
