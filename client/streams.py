"""An answer that arrives piece by piece."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import requests

from .answers import error_in_stream, number_of_attempts, readable
from .connections import hard_limit, socket_of
from .errors import GatewayClientError, StreamBroken, Unreachable
from .events import events_of
from .replies import ChatReply, Delta, ReasoningDelta, TextDelta, ToolCall, ToolCallDelta, Usage
from .wire import foreign

DONE = "[DONE]"
AFTER_THE_END = 0.5
"""How many seconds the rest of a finished answer is waited for, so that its connection can serve again."""


class ChatStream:
    """Iterate to get the deltas; use as a context manager, so that the connection is closed whatever happens.

    Raises StreamBroken when it ends before its end, or is read on after it was closed. `reply` is the whole answer once
    it is over. `silence` is the longest wait for the next byte, in seconds.
    """

    def __init__(self, response: requests.Response, model: str, gateway: str, silence: float) -> None:
        self._response = response
        self._socket = socket_of(response)
        self._model = model
        self._gateway = gateway
        self._silence = silence
        self._events = events_of(response)
        self._waiting: deque[Delta] = deque()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._usage: Mapping[str, Any] | None = None
        self._finish_reason: str | None = None
        self._over = self._closed = False

    def __enter__(self) -> "ChatStream":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Delta]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._over:
                return
            try:
                self._advance()
            except GatewayClientError as error:
                self.close()
                raise self._broken(error) from error

    def begin(self) -> None:
        """Wait for the first content, so that a failure ahead of it can still lead elsewhere.

        Raises GatewayClientError, and never StreamBroken.
        """
        while not self._waiting and not self._over:
            self._advance()
        self._wait_at_most(self._silence)

    def close(self) -> None:
        """Close the connection; the gateway stops the provider. A second call does nothing."""
        self._closed = True
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

    def _advance(self) -> None:
        if self._closed:
            raise Unreachable("the stream was closed before its end")
        with foreign(self._gateway):
            data = next(self._events, None)
        if data is None:
            raise Unreachable("the stream ended without its end")
        if data == DONE:
            self._finish()
            return
        with readable(self._gateway):
            self._take(json.loads(data))

    def _finish(self) -> None:
        self._over = True
        self._wait_at_most(AFTER_THE_END)
        try:
            with foreign(self._gateway), hard_limit(self._socket, AFTER_THE_END):
                for _ in self._events:
                    continue
        except GatewayClientError:
            pass  # the answer is whole; the connection alone is lost
        self._wait_at_most(self._silence)
        self.close()

    def _wait_at_most(self, seconds: float) -> None:
        if self._socket is not None:
            try:
                self._socket.settimeout(seconds)
            except OSError:
                pass  # it is closed, as reading will tell

    def _take(self, event: Mapping[str, Any]) -> None:
        if "error" in event:
            raise error_in_stream(event["error"], self._response.headers)
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

    def _broken(self, error: GatewayClientError) -> StreamBroken:
        return StreamBroken(
            error.message,
            "".join(self._text),
            code=error.code,
            retry_after=error.retry_after,
            details=error.details,
            request_id=self._response.headers.get("X-Request-ID"),
        )
