"""Clients that wait for their answers, each in a thread of its own."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import requests

from tests.upstreams.answers import glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import End, Events, Head, Hold, Step

PATIENCE = 120.0
EVENTS = glm_stream("the first words and the last")
DONE = b"data: [DONE]\n\n"
MESSAGES = [{"role": "user", "content": "Hi"}]


def held(gate: str = "") -> tuple[Step, ...]:
    """An answer of which the first words come at once, and the rest when the gate is opened."""
    return (Head(), Events(EVENTS[:2]), Hold(gate), Events(EVENTS[2:]), End())


@dataclass
class Heard:
    """What has come of one answer. `broken`: it did not end as HTTP wants it."""

    status: int
    body: bytes = b""
    broken: bool = False

    @property
    def whole(self) -> bool:
        """True for a stream that has come to its proper end."""
        return self.status == 200 and not self.broken and self.body.endswith(DONE)


class Clients:
    """They send what they are told to `url`."""

    def __init__(self, url: str, pool: ThreadPoolExecutor, headers: dict[str, str]) -> None:
        self._url = url
        self._pool = pool
        self._headers = headers

    def ask(
        self, path: str = "/v1/chat/completions", model: str = "glm-4.6", *, stream: bool = True
    ) -> "Future[Heard]":
        """One request; its answer is read to the end, or until it breaks."""
        body = {"model": model, "stream": stream, "max_tokens": 9, "messages": MESSAGES}
        return self._pool.submit(self._hear, path, body)

    def _hear(self, path: str, body: dict[str, object]) -> Heard:
        url = self._url + path
        with requests.post(url, json=body, headers=self._headers, stream=True, timeout=PATIENCE) as response:
            heard = Heard(response.status_code)
            try:
                for piece in response.iter_content(None):
                    heard.body += piece
            except requests.RequestException:
                heard.broken = True
        return heard


@contextmanager
def clients(url: str, count: int = 16, headers: dict[str, str] | None = None) -> Iterator[Clients]:
    """Up to `count` at a time."""
    with ThreadPoolExecutor(count) as pool:
        yield Clients(url, pool, headers or {})


def at_provider(processes: Iterable[int], upstream: Upstream) -> int:
    """How many connections to the provider these processes have open."""
    connections = [one for process in processes for one in psutil.Process(process).net_connections("tcp")]
    return sum(bool(one.raddr) and one.raddr.port == upstream.port for one in connections)
