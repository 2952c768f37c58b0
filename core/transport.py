"""The connection pool to the providers, the only place that speaks HTTP to them."""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from core.cancel import Cancellation
from core.clock import Clock
from core.descriptors import lacks_descriptors
from core.errors import GatewayError, Overloaded, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from core.exchange import Exchange, Patience
from core.interim import POOLS
from core.providers.base import UpstreamRequest

FOREIGN_FAILURES: tuple[tuple[type[Exception], type[GatewayError], str], ...] = (
    (requests.ConnectTimeout, UpstreamUnreachable, "did not accept a connection in time"),
    (requests.ReadTimeout, UpstreamTimeout, "was silent for too long"),
    (requests.exceptions.SSLError, UpstreamUnreachable, "offers no trustworthy TLS connection"),
    (requests.exceptions.ProxyError, UpstreamUnreachable, "cannot be reached through the proxy"),
    (requests.ConnectionError, UpstreamUnreachable, "cannot be reached"),
    (requests.RequestException, UpstreamUnreachable, "cannot be asked"),
    (HTTPError, UpstreamBroken, "answered with something that is not HTTP"),
    (zlib.error, UpstreamBroken, "sent a body that cannot be unpacked"),
    (OSError, UpstreamBroken, "broke the connection"),
    (ValueError, UpstreamUnreachable, "has an address that cannot be used"),
)
"""What a failure of a library means, most specific first."""


MAX_BYTES = 32 * 1024 * 1024
"""The longest body that is read of an answer to `Transport.call`."""


ADDRESS = "gateway_address"
"""The attribute of a prepared request that says where to connect to."""


class _Adapter(HTTPAdapter):
    """requests' adapter, which hands out urllib3's response: cookies and redirects of a provider mean nothing here."""

    def build_response(self, req: Any, resp: Any) -> Any:
        return resp

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Where to connect to: the address that a request names, with the certificate still that of its host."""
        where: Any
        how: Any
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        address = getattr(request, ADDRESS, None)
        if address is not None:
            if where["scheme"] == "https":
                how |= {"server_hostname": where["host"], "assert_hostname": where["host"]}
            where["host"] = address
        return where, how


class Transport:
    """Sends requests to providers over kept connections. One object serves all requests of a process."""

    def __init__(self, clock: Clock, *, connections: int = 1000, verify: bool | str = True) -> None:
        self._clock = clock
        self._verify = verify
        self._adapter = _Adapter(pool_connections=100, pool_maxsize=connections, max_retries=0)
        self._adapter.poolmanager.pool_classes_by_scheme = POOLS

    def open(self, request: UpstreamRequest, patience: Patience, cancel: Cancellation) -> Exchange:
        """Begin to send `request`; nothing is waited for here."""
        return Exchange(
            _host_of(request.url), patience, cancel, self._clock, partial(self._send, request, patience), translate
        )

    def call(
        self,
        request: UpstreamRequest,
        seconds: float,
        cancel: Cancellation,
        max_bytes: int = MAX_BYTES,
        asked: Callable[[], object] = bool,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and whole body of an answer that must come within `seconds`; of a longer body, so many bytes.

        `asked` is called in the end when all of the request was sent. Raises UpstreamError.
        """
        patience = Patience(seconds, seconds, seconds, self._clock.monotonic() + seconds)
        exchange = self.open(request, patience, cancel)
        try:
            for _ in exchange.opening():
                pass
            return exchange.status, exchange.headers, exchange.read(max_bytes)
        finally:
            if exchange.asked:
                asked()
            exchange.close()

    def close(self) -> None:
        """Close every idle connection."""
        self._adapter.close()

    def _send(self, request: UpstreamRequest, patience: Patience, written: Callable[[], None]) -> Any:
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url, prepared.body = request.method, request.url, None
        prepared.headers = CaseInsensitiveDict(request.headers)
        prepared.headers["Accept-Encoding"] = "identity"
        if request.address is not None:
            setattr(prepared, ADDRESS, request.address)
        if request.body:
            prepared.headers["Content-Length"] = str(len(request.body))
            body: Any = _told(request.body, written)
            prepared.body = body
        timeout = (patience.connect, patience.silence)
        return self._adapter.send(prepared, stream=True, timeout=timeout, verify=self._verify, proxies={})


def _told(body: bytes, written: Callable[[], None]) -> Iterator[bytes]:
    """The body in one piece; whoever asks for the next one has sent it."""
    yield body
    written()


def _host_of(url: str) -> str:
    """Where `url` leads, without a password that may stand in it."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        # Sending will fail as well, and say so.
        return "a broken address"


def translate(failure: Exception, host: str) -> GatewayError:
    """What a library's failure while asking `host` means."""
    if isinstance(failure, GatewayError):
        return failure
    if lacks_descriptors(failure):
        return Overloaded("The gateway has no descriptor left for another connection.", retry_after=1)
    for kind, error, text in FOREIGN_FAILURES:
        if isinstance(failure, kind):
            return error(f"the provider at {host} {text}")
    return UpstreamBroken(f"the provider at {host} failed in an unknown way")
