"""One request over HTTP."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from .answers import error_of
from .connections import SHORTEST, Adapter, hard_limit, socket_of
from .errors import GatewayClientError, TimedOut, Unreachable, UpstreamFailed

MAX_ERROR = 65_536


@dataclass(frozen=True)
class Call:
    """What is sent. `left` has the seconds that remain for it."""

    method: str
    url: str
    left: Callable[[], float]
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire:
    """Keeps connections. Of a stream `silence` is the longest wait for the next byte, in seconds."""

    def __init__(
        self,
        api_key: str | None,
        connect_timeout: float,
        silence: float,
        headers: Mapping[str, str],
        connections: int,
        verify: bool | str,
    ) -> None:
        self._session = requests.Session()
        self._session.verify = verify
        # What surrounds the process (proxies, .netrc) has no say in where a key is sent.
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, Adapter(connections))
        self._connect = connect_timeout
        self.silence = silence
        self._headers = {"Content-Type": "application/json", **headers}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def stream(self, call: Call) -> requests.Response:
        """A good answer whose body is not read yet. Raises GatewayClientError."""
        return self._send(call, min(self.silence, call.left()))

    def json(self, call: Call) -> tuple[Any, Mapping[str, str]]:
        """The body and the headers of a good answer, which may take all the time that is left.

        Raises GatewayClientError.
        """
        response = self._send(call, call.left())
        try:
            with foreign(call.url), hard_limit(socket_of(response), call.left()):
                body = response.content
        finally:
            response.close()
        try:
            return json.loads(body), response.headers
        except ValueError as error:
            raise UpstreamFailed(f"{call.url} answered with something that is no JSON") from error

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def _send(self, call: Call, patience: float) -> requests.Response:
        data = None if call.body is None else json.dumps(call.body, ensure_ascii=False).encode()
        timeout = (max(SHORTEST, min(self._connect, call.left())), max(SHORTEST, patience))
        with foreign(call.url):
            response = self._session.request(
                call.method, call.url, data=data, headers={**self._headers, **call.headers}, timeout=timeout,
                stream=True, allow_redirects=False,
            )  # fmt: skip
        if response.status_code < 300:
            return response
        raise error_of(response.status_code, response.headers, _told(response, call))


def _told(response: requests.Response, call: Call) -> bytes:
    """What a refusal says; nothing when that does not come, as its status says most."""
    try:
        with foreign(call.url), hard_limit(socket_of(response), call.left()):
            return _beginning(response)
    except GatewayClientError:
        return b""
    finally:
        response.close()


@contextmanager
def foreign(url: str) -> Iterator[None]:
    """What the HTTP library fails with, in this client's words."""
    try:
        yield
    except requests.Timeout as error:
        raise TimedOut(f"{url} was silent for too long") from error
    except (requests.RequestException, OSError) as error:
        if "timed out" in str(error).lower():
            # While a body is read the library calls it a broken connection.
            raise TimedOut(f"{url} was silent for too long") from error
        raise Unreachable(f"{url} cannot be reached, or broke the connection") from error


def _beginning(response: requests.Response) -> bytes:
    """As much of a body as an error may have, in however many pieces it comes."""
    body = b""
    for piece in response.iter_content(MAX_ERROR):
        body += piece
        if len(body) >= MAX_ERROR:
            break
    return body
