"""Fetches what a client has linked, from public addresses only."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.addresses import Reach
from core.cancel import Cancellation
from core.clock import Clock
from core.errors import GatewayError, UnusableLink, UpstreamTimeout
from core.exchange import Exchange, Patience
from core.links import BrokenLink, Link, read_link, redirected
from core.providers.base import UpstreamRequest
from core.transport import Transport

Resolver = Callable[[str, int], Sequence[str]]
"""The addresses of a host; none for one that is not known."""
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 3
OPEN_PORTS = frozenset({80, 443, 8080, 8443})
"""What is asked of strangers. Named networks are asked at any port."""
CONNECT_SECONDS = 5.0
HEADERS = {"User-Agent": "glm-gateway", "Connection": "close"}
NOT_PUBLIC = "it leads to no public address"
"""Said of unknown names as well, so that nobody learns which names there are inside."""
TOO_LONG = "it took too long"


def system_resolver(host: str, port: int) -> Sequence[str]:
    """What the machine's own resolver says."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may come, in bytes, and until when, as a monotonic time."""

    size: int
    deadline: float


class Fetcher:
    """Looks a host up once and connects to what it found, so that no second answer of a resolver counts.

    Every redirect is looked at as the link itself is. Nothing of the client's or of the gateway's goes along.
    """

    def __init__(self, transport: Transport, reach: Reach, clock: Clock, resolve: Resolver = system_resolver) -> None:
        """`transport` is the fetcher's own, so that strangers push no provider's connections out of the pool."""
        self._transport = transport
        self._reach = reach
        self._clock = clock
        self._resolve = resolve

    def fetch(self, url: str, accept: str, bounds: Bounds, cancel: Cancellation) -> bytes:
        """What is at `url`. Raises UnusableLink, whose message says why and repeats nothing of the link."""
        try:
            link = read_link(url)
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._ask(link, accept, bounds, cancel)
                if isinstance(answer, bytes):
                    return answer
                link = redirected(link, answer)
        except BrokenLink as broken:
            raise UnusableLink(str(broken)) from None
        raise UnusableLink("it is redirected too often")

    def _ask(self, link: Link, accept: str, bounds: Bounds, cancel: Cancellation) -> bytes | str:
        """The body, or where to ask instead."""
        headers = {"Host": link.authority, "Accept": accept, **HEADERS}
        request = UpstreamRequest(link.url, headers, method="GET", address=self._address(link))
        left = bounds.deadline - self._clock.monotonic()
        if left <= 0:
            raise UnusableLink(TOO_LONG)
        # No sign of life is due before the deadline: what has come by then is not the whole.
        patience = Patience(min(CONNECT_SECONDS, left), left, 10 * left, bounds.deadline)
        exchange = self._transport.open(request, patience, cancel)
        try:
            return _answer(exchange, bounds.size)
        except UnusableLink:
            raise
        except UpstreamTimeout:
            raise UnusableLink(TOO_LONG) from None
        except GatewayError:
            raise UnusableLink("its server cannot be reached, or breaks off") from None
        finally:
            exchange.close()

    def _address(self, link: Link) -> str:
        """The address to connect to, when every one of them may be connected to; an IPv4 one if there is one."""
        found = (link.host,) if link.is_address else self._resolve(link.host, link.port)
        if not found or not all(map(self._reach.allows, found)):
            raise UnusableLink(NOT_PUBLIC)
        if link.port not in OPEN_PORTS and not all(map(self._reach.named, found)):
            raise UnusableLink(f"its port is none of {', '.join(map(str, sorted(OPEN_PORTS)))}")
        # Many machines have no way to IPv6.
        return min(found, key=lambda address: ":" in address)


def _answer(exchange: Exchange, size: int) -> bytes | str:
    for _ in exchange.opening():
        pass
    if exchange.status in REDIRECTS and exchange.headers.get("location"):
        return exchange.headers["location"]
    if exchange.status != 200:
        raise UnusableLink(f"its server answered HTTP {exchange.status}")
    # Nothing was said to be understood, and a little of it unpacked can fill the memory.
    if exchange.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnusableLink("its server sent it packed")
    announced = exchange.headers.get("content-length", "")
    body = bytearray()
    if not (announced.isdecimal() and int(announced) > size):
        for block in exchange.blocks():
            body += block
            if len(body) > size:
                break
        else:
            return bytes(body)
    raise UnusableLink(f"it is longer than the {size} bytes that are left of what may be fetched")
