"""Reads Ollama's answers: JSON objects, one a line (https://docs.ollama.com/api/streaming)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.errors import UpstreamBroken
from core.providers.foreign_json import items, mapping, text
from core.providers.ollama_errors import ollama_error
from core.providers.token_counts import told, told_output
from core.providers.tool_calls import argument_text, new_call_id
from core.sse import Event
from schemas.codec import loads
from schemas.stream import ChatChunk, Finished, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

DONE_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}
"""What ends an answer; any other word counts as `stop`."""
NO_ANSWER = frozenset({"load", "unload"})
"""Reasons that end what was no answer: the model was only loaded or freed."""


class Answer:
    """What has been read of one answer so far; `done` once Ollama has said that it is whole."""

    __slots__ = ("_calls", "_produced", "_usage", "_word", "done")

    def __init__(self) -> None:
        self.done = False
        self._calls = 0
        self._produced = False
        self._usage: Usage | None = None
        self._word = ""

    def is_ended(self) -> bool:
        """True when the answer is whole."""
        return self.done

    def read(self, event: Event) -> Iterator[ChatChunk]:
        """The chunks in one event, which may hold several lines. Nothing is read after the last object of an answer.

        Raises the error it tells of, and UpstreamBroken when it cannot be read.
        """
        for frame in _frames(event.data):
            yield from self._frame(mapping(frame))
            if self.done:
                return

    def _frame(self, frame: Mapping[str, Any]) -> Iterator[ChatChunk]:
        if "error" in frame and (failure := ollama_error(frame, None)) is not None:
            raise failure
        for chunk in self._message(mapping(frame.get("message"))):
            self._produced = True
            yield chunk
        if frame.get("done") is True:
            self.done, self._word = True, text(frame.get("done_reason"))
            self._usage = read_usage(frame)

    def _message(self, message: Mapping[str, Any]) -> Iterator[ChatChunk]:
        if thinking := text(message.get("thinking")):
            yield ReasoningDelta(thinking)
        if content := text(message.get("content")):
            yield TextDelta(content)
        for call in items(message.get("tool_calls")):
            yield self._call(mapping(call))

    def _call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        function = mapping(call.get("function"))
        name = text(function.get("name"))
        if not name:
            raise UpstreamBroken("the provider sent a tool call without a name")
        index, self._calls = self._calls, self._calls + 1
        return ToolCallDelta(
            index, text(call.get("id")) or new_call_id(), name, argument_text(function.get("arguments"))
        )

    def finish(self) -> Finished:
        """The end of the answer. Raises UpstreamBroken when Ollama never said that it ended, or did not answer."""
        if not self.done:
            raise UpstreamBroken("the provider's answer broke off before its end")
        if self._word in NO_ANSWER and not self._produced:
            raise UpstreamBroken(f"the provider did not answer: it said {self._word}", code="upstream_empty_answer")
        reason = DONE_REASONS.get(self._word, "stop")
        return Finished("tool_calls" if reason == "stop" and self._calls else reason, self._usage)


def _frames(data: bytes) -> Iterable[Any]:
    """The values in `data`: one, however it is laid out, or one a line, each read when its turn comes."""
    try:
        return [loads(data)]
    except ValueError:
        return map(_value, [line for line in data.split(b"\n") if line.strip()] or [data])


def _value(line: bytes) -> Any:
    try:
        return loads(line)
    except ValueError as cause:
        raise UpstreamBroken("the provider sent something that is no JSON") from cause


def read_usage(frame: Mapping[str, Any]) -> Usage | None:
    """Ollama's counts; None when it counts nothing. Builds that find the whole prompt cached leave its count out."""
    prompt, output = told(frame.get("prompt_eval_count")), told_output(frame.get("eval_count"))
    return None if prompt is None and output is None else Usage(uncached=prompt, output=output)
