"""Clients by the hundred, of every kind: patient ones, such as leave, and such as ask for what cannot be."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

KEY = "load-key"
SLOW = "glm-4.5"
"""The model whose answers the provider for measurements streams at its pace."""
QUICK = "glm-4.6"
PATIENCE = 300.0


@dataclass(frozen=True)
class Kind:
    """One sort of request.

    Its client leaves after so many bytes of the answer (`leaves`), None for never; `ends` is how a whole one ends.
    """

    path: str = "/v1/chat/completions"
    model: str = QUICK
    stream: bool = True
    key: str = KEY
    body: bytes | None = None
    leaves: int | None = None
    status: int = 200
    ends: bytes = b"0\r\n\r\n"

    @property
    def request(self) -> bytes:
        """Its bytes."""
        messages = [{"role": "user", "content": "Tell me. " * 20}]
        asked = {"model": self.model, "stream": self.stream, "max_tokens": 100, "messages": messages}
        data = json.dumps(asked).encode() if self.body is None else self.body
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\nConnection: close\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data


MIXED: Sequence[Kind] = (
    Kind(stream=False, ends=b""),
    Kind(),
    Kind(path="/v1/messages"),
    Kind(model=SLOW),
    Kind(model=SLOW, leaves=0),
    Kind(model=SLOW, leaves=400),
    Kind(model=SLOW, path="/v1/messages", leaves=400),
    Kind(model=SLOW, stream=False, leaves=0),
    Kind(body=b"{broken", status=400, ends=b""),
    Kind(model="no-such-model", status=404, ends=b""),
    Kind(key="wrong", status=401, ends=b""),
)


async def ask(port: int, kind: Kind) -> None:
    """One request of that kind, and its answer as far as its client stays."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), PATIENCE)
    try:
        writer.write(kind.request)
        await writer.drain()
        answer = await asyncio.wait_for(_read(reader, kind.leaves), PATIENCE)
    finally:
        writer.close()
    if kind.leaves is None:
        assert answer.startswith(b"HTTP/1.1 %d " % kind.status), answer[:300]
        assert answer.endswith(kind.ends), answer[-300:]


async def _read(reader: asyncio.StreamReader, leaves: int | None) -> bytes:
    if leaves is None:
        return await reader.read()
    if not leaves:
        await asyncio.sleep(0.01)
        return b""
    return await reader.readexactly(leaves)


async def _several(port: int, kinds: Sequence[Kind], at_a_time: int) -> None:
    left = iter(kinds)

    async def client() -> None:
        for kind in left:
            await ask(port, kind)

    await asyncio.gather(*(client() for _ in range(at_a_time)))


def mixed(port: int, count: int, at_a_time: int = 32) -> None:
    """`count` requests of all kinds; fails when one is not answered as it should be."""
    asyncio.run(_several(port, [MIXED[number % len(MIXED)] for number in range(count)], at_a_time))


class Crowd:
    """Clients that each hold a stream open, until the context is left."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count

    async def __aenter__(self) -> "Crowd":
        self._streams = []
        for begin in range(0, self._count, 50):
            # As many at a time as a backlog takes on any machine.
            batch = range(min(50, self._count - begin))
            self._streams += await asyncio.gather(*(self._open() for _ in batch))
        return self

    async def __aexit__(self, *_: object) -> None:
        for _, writer in self._streams:
            writer.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(Kind(model=SLOW).request)
        head = await asyncio.wait_for(reader.readuntil(b"data: {"), PATIENCE)
        assert head.startswith(b"HTTP/1.1 200 "), head
        return reader, writer
