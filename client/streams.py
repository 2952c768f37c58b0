"""An answer that arrives piece by piece."""

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import requests

from client.answers import number_of_attempts
from client.errors import GatewayClientError, StreamBroken
from client.replies import ChatReply, Delta, ReasoningDelta, TextDelta, ToolCall, ToolCallDelta, Usage
from client.wire import foreign

DONE = "[DONE]"


class ChatStream:
    """Iterate to get the deltas; use as a context manager, so that the connection is closed whatever happens.

    Raises StreamBroken when it ends before its end. `reply` is the whole answer once it is over.
    """

    def __init__(self, response: requests.Response, model: str, gateway: str) -> None:
        self._response = response
        self._model = model
        self._gateway = gateway
        self._events = _events(response)
        self._waiting: list[Delta] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._usage: Mapping[str, Any] | None = None
        self._finish_reason: str | None = None
        self._over = False

    def __enter__(self) -> "ChatStream":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Delta]:
        while True:
            while self._waiting:
                yield self._waiting.pop(0)
            if self._over or not self._advance():
                return

    def begin(self) -> None:
        """Wait for the first content, so that a failure ahead of it can still lead elsewhere."""
        while not self._waiting and not self._over and self._advance():
            continue

    def close(self) -> None:
        """Close the connection; the gateway stops the provider."""
        self._response.close()

    @property
    def reply(self) -> ChatReply:
        """What has come; all of it once the stream is over."""
        headers = self._response.headers
        calls = (ToolCall(ident, name, "".join(parts)) for ident, name, *parts in self._calls.values())
        return ChatReply(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=tuple(calls),
            finish_reason=self._finish_reason,
            usage=Usage.of(self._usage),
            model=self._model,
            gateway=self._gateway,
            request_id=headers.get("X-Request-ID"),
            provider=headers.get("X-Gateway-Provider"),
            upstream_model=headers.get("X-Gateway-Upstream-Model"),
            attempts=number_of_attempts(headers),
        )

    def _advance(self) -> bool:
        try:
            with foreign(self._gateway):
                data = next(self._events, None)
        except GatewayClientError as error:
            raise self._broken(error.message) from error
        if data is None:
            raise self._broken("the stream ended without its end")
        if data == DONE:
            self._over = True
            return False
        try:
            self._take(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._broken("the stream holds something that cannot be read") from error
        return True

    def _take(self, event: Mapping[str, Any]) -> None:
        if "error" in event:
            told = event["error"]
            raise self._broken(str(told.get("message")), code=told.get("code"), details=told.get("details"))
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or ():
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            self._waiting += self._deltas(choice.get("delta") or {})

    def _deltas(self, delta: Mapping[str, Any]) -> Iterator[Delta]:
        if text := delta.get("reasoning_content"):
            self._reasoning.append(text)
            yield ReasoningDelta(text)
        if text := delta.get("content"):
            self._text.append(text)
            yield TextDelta(text)
        for call in delta.get("tool_calls") or ():
            function, index = call.get("function") or {}, int(call["index"])
            known = self._calls.setdefault(index, [call.get("id") or "", function.get("name") or ""])
            known.append(function.get("arguments") or "")
            yield ToolCallDelta(index, known[-1], call.get("id"), function.get("name"))

    def _broken(self, message: str, **more: Any) -> StreamBroken:
        self.close()
        return StreamBroken(message, "".join(self._text), request_id=self._response.headers.get("X-Request-ID"), **more)


def _events(response: requests.Response) -> Iterator[str]:
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
