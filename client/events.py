"""Server-sent events of a response, as they come."""

from collections.abc import Iterator

import requests


def events_of(response: requests.Response) -> Iterator[str]:
    """The data of each event; comments, which keep the connection alive, are left out."""
    data: list[str] = []
    for line in _lines(response):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data.clear()


def _lines(response: requests.Response) -> Iterator[str]:
    rest = b""
    # Chunks come as they are sent; without them only single bytes are sure not to wait for the next ones.
    for piece in response.iter_content(None if response.raw.chunked else 1):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="replace")
