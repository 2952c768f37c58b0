"""Reads the frames of one chat.z.ai answer."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import UpstreamBroken, UpstreamServerError
from core.providers.foreign_json import mapping
from core.providers.glm_web_blocks import Calls
from core.providers.glm_web_buffer import Buffer
from core.providers.glm_web_errors import body_error, find_error, is_page, said_error
from core.providers.glm_web_split import Block, Part
from core.providers.token_counts import told, told_output
from core.sse import Event
from schemas.codec import loads
from schemas.stream import ChatChunk, Finished, FinishReason
from schemas.usage import Usage

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "sensitive": "content_filter",
    "content_filter": "content_filter",
    "model_context_window_exceeded": "length",
}


class Answer:
    """One answer while it comes.

    `ended` says that it may stop here (usage or a finish reason came), `done` that the site said so in as many words,
    `closed` that nothing more will come.
    """

    def __init__(self, tools: frozenset[str]) -> None:
        self.ended = False
        self.done = False
        self.closed = False
        self._buffer = Buffer()
        self._calls = Calls(tools)
        self._usage: Usage | None = None
        self._reason: FinishReason | None = None
        self._produced = False

    def read(self, event: Event) -> list[ChatChunk]:
        """What one event adds. Raises the error it tells of, and UpstreamBroken when it cannot be read."""
        if event.data.startswith(b"[DONE]"):
            self.ended = self.closed = True
            return []
        frame = self._frame(event)
        data = frame.get("data")
        inner = data if isinstance(data, dict) else frame
        error = find_error(frame)
        if error is not None:
            self._failed(error, done=inner.get("done") is True or frame.get("done") is True)
            return []
        if data == "[DONE]":
            self.ended = self.closed = True
            return []
        return self._inner(inner)

    def finish(self) -> Iterator[ChatChunk]:
        """The end of the answer. Raises UpstreamBroken when the site never said that it ended, or said nothing."""
        if not self.ended:
            raise UpstreamBroken("the site's stream broke off before the answer ended")
        yield from self._chunks(self._buffer.finish())
        calls = list(self._calls.chunks())
        yield from calls
        if not self._produced and not calls and self._reason is None:
            raise UpstreamBroken("the site ended the stream without an answer")
        yield Finished(self._last_reason(called=bool(calls)), self._usage)

    def _frame(self, event: Event) -> Mapping[str, Any]:
        if event.name == "body" or is_page(event.data):
            raise body_error(event.data)
        try:
            frame = loads(event.data)
        except ValueError as cause:
            raise UpstreamBroken("the site sent a frame that is no JSON") from cause
        return frame if isinstance(frame, dict) else {}

    def _failed(self, error: object, *, done: bool) -> None:
        """Raise, unless the site only adds an error to the end of an answer that is already whole."""
        if not (done and self.ended and self._produced):
            raise said_error(error)

    def _inner(self, inner: Mapping[str, Any]) -> list[ChatChunk]:
        parts: list[Part] = []
        edit = inner.get("edit_content")
        if isinstance(edit, str):
            index = inner.get("edit_index")
            parts += self._buffer.replace(index, edit) if type(index) is int else self._buffer.append(edit)
        delta = inner.get("delta_content")
        if isinstance(delta, str) and delta:
            parts += self._buffer.append(delta)
        self._details(inner)
        return self._chunks(parts)

    def _details(self, inner: Mapping[str, Any]) -> None:
        usage = read_usage(inner.get("usage"))
        phase = inner.get("phase")
        self.done = self.done or inner.get("done") is True or phase == "done"
        if self.done or (phase == "other" and usage is not None):
            self.ended = True
        self._usage = usage or self._usage
        if "tool_calls" in inner:
            self._calls.add_openai(inner["tool_calls"])
        if phase == "tool_call":
            self._calls.add_piece(inner)
        choices = inner.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self._choice(choices[0])

    def _choice(self, choice: Mapping[str, Any]) -> None:
        """The OpenAI-like frame: its text is the buffer's again, its calls and finish reason are not."""
        for name in ("delta", "message"):
            said = choice.get(name)
            self._calls.add_openai(said.get("tool_calls") if isinstance(said, dict) else None)
        word = choice.get("finish_reason")
        if word == "network_error":
            raise UpstreamServerError("the site says that inference failed", provider_code=word)
        if isinstance(word, str) and word:
            self.ended = True
            self._reason = FINISH_REASONS.get(word, "stop")

    def _chunks(self, parts: list[Part]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        for part in parts:
            if isinstance(part, Block):
                self._calls.add_block(part)
            else:
                chunks.append(part)
        self._produced = self._produced or bool(chunks)
        return chunks

    def _last_reason(self, *, called: bool) -> FinishReason:
        if self._reason in ("length", "content_filter"):
            return self._reason
        return "tool_calls" if called else "stop"


def read_usage(said: object) -> Usage | None:
    """The tokens of a `usage` object, whose prompt includes what was cached; None when it counts none."""
    if not isinstance(said, dict):
        return None
    prompt, output = told(said.get("prompt_tokens")), told_output(said.get("completion_tokens"))
    if prompt is None and output is None:
        return None
    read = told(mapping(said.get("prompt_tokens_details")).get("cached_tokens"))
    reasoning = told_output(mapping(said.get("completion_tokens_details")).get("reasoning_tokens"))
    uncached = None if prompt is None else prompt - (read or 0)
    return Usage(uncached=uncached, read=read, output=output, reasoning=reasoning)
