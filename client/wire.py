"""One request over HTTP."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from client.answers import error_of
from client.errors import GatewayClientError, TimedOut, Unreachable

MAX_ERROR = 65_536


class Wire:
    """Keeps connections; `silence` is the longest wait for the next byte, in seconds."""

    def __init__(self, api_key: str | None, connect_timeout: float, silence: float, headers: Mapping[str, str]) -> None:
        self._session = requests.Session()
        # What surrounds the process (proxies, .netrc) has no say in where a key is sent.
        self._session.trust_env = False
        self._connect = connect_timeout
        self._silence = silence
        self._headers = {"Content-Type": "application/json", **headers}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def send(
        self, method: str, url: str, body: Mapping[str, Any] | None, seconds: float, headers: Mapping[str, str]
    ) -> requests.Response:
        """A good answer whose body is not read yet. Raises GatewayClientError."""
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        patience = (min(self._connect, seconds), min(self._silence, seconds))
        with foreign(url):
            response = self._session.request(
                method, url, data=data, headers={**self._headers, **headers}, timeout=patience, stream=True,
                allow_redirects=False,
            )  # fmt: skip
        if response.status_code < 300:
            return response
        try:
            with foreign(url):
                told = next(response.iter_content(MAX_ERROR), b"")
        except GatewayClientError:
            told = b""
        finally:
            response.close()
        raise error_of(response.status_code, response.headers, told)

    def json(
        self, method: str, url: str, body: Mapping[str, Any] | None, seconds: float, headers: Mapping[str, str]
    ) -> tuple[Any, Mapping[str, str]]:
        """The body and the headers of a good answer. Raises GatewayClientError."""
        response = self.send(method, url, body, seconds, headers)
        try:
            with foreign(url):
                return json.loads(response.content), response.headers
        except ValueError as error:
            raise Unreachable(f"{url} answered with something that is no JSON") from error
        finally:
            response.close()

    def close(self) -> None:
        """Close every connection."""
        self._session.close()


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
